"""For migrations."""

from django.db.migrations.operations.base import Operation


class Protect(Operation):
    """`tenant.protect` of a model's table, in the migration that creates it.

    Backwards it does nothing: a table is dropped with its protection, and otherwise `tenant.unprotect` asks for a reason.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name, harden=False):
        self.model_name, self.harden = model_name, harden

    def deconstruct(self):
        return self.__class__.__qualname__, [self.model_name], {"harden": True} if self.harden else {}

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        from .checks import tenant_column

        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            table = schema_editor.quote_name(model._meta.db_table)
            column = tenant_column(model) or "tenant_id"
            schema_editor.execute("select tenant.protect(%s::regclass, %s, %s)", [table, column, self.harden])

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def describe(self):
        return f"Protect {self.model_name}"
