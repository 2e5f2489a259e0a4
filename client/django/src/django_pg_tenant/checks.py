"""manage.py check: what would not be kept apart."""

from django.apps import apps
from django.core.checks import Error, Tags, Warning, register
from django.db import connections

from .backend.base import TenantMixin
from .models import TenantColumn


def tenant_column(model):
    """The name of the model's tenant column, if it has one."""
    for field in model._meta.local_fields:
        if isinstance(field, TenantColumn) or field.column == "tenant_id":
            return field.column
    return None


@register(Tags.database)
def backend_enters(app_configs=None, databases=None, **kwargs):
    return [
        Error(
            f"the backend of {alias!r} enters no tenant",
            hint='ENGINE is "django_pg_tenant.backend", or a backend of yours with django_pg_tenant.backend.base.TenantMixin',
            id="pg_tenant.E001",
        )
        for alias in databases or []
        if connections[alias].vendor == "postgresql" and not isinstance(connections[alias], TenantMixin)
    ]


@register(Tags.models)
def join_tables_have_a_tenant(app_configs=None, **kwargs):
    return [
        Warning(
            f"{model._meta.label}.{field.name} makes the table {through._meta.db_table}, which has no tenant column, so every "
            "tenant reads and writes it",
            hint="Write the model of that table with a TenantField, and name it: ManyToManyField(…, through=…)",
            obj=field,
            id="pg_tenant.W001",
        )
        for model in apps.get_models()
        if tenant_column(model)
        for field in model._meta.local_many_to_many
        for through in [field.remote_field.through]
        if through._meta.auto_created
    ]


@register(Tags.models)
def who_refers_to_a_tenants_row_has_a_tenant(app_configs=None, **kwargs):
    return [
        Warning(
            f"{model._meta.label} refers to rows of a tenant and has no tenant column, so every tenant reads and writes it",
            hint="Give it a TenantField, and protect its table",
            obj=model,
            id="pg_tenant.W002",
        )
        for model in apps.get_models()
        if not tenant_column(model) and not model._meta.proxy and model._meta.managed
        if any(f.remote_field and f.related_model and tenant_column(f.related_model) for f in model._meta.local_concrete_fields)
    ]


@register(Tags.database)
def tables_are_protected(app_configs=None, databases=None, **kwargs):
    """`manage.py check --database default`: tables with a tenant column that nobody has protected."""
    found = []
    for alias in databases or []:
        connection = connections[alias]
        if connection.vendor != "postgresql":
            continue
        with connection.cursor() as cursor:
            cursor.execute("select exists (select from pg_extension where extname = 'pg_tenant')")
            if not cursor.fetchone()[0]:
                found.append(Error(f"the database of {alias!r} has no extension pg_tenant", id="pg_tenant.E002"))
                continue
            for model in apps.get_models():
                if not tenant_column(model) or model._meta.proxy or not model._meta.managed:
                    continue
                cursor.execute(
                    "select to_regclass(%s) is not null and not exists (select from pg_policy"
                    " where polrelid = to_regclass(%s) and polname = 'tenant_isolation')",
                    [connection.ops.quote_name(model._meta.db_table)] * 2,
                )
                if cursor.fetchone()[0]:
                    found.append(
                        Warning(
                            f"the table {model._meta.db_table} has a tenant column and is not protected",
                            hint=f'In a migration: django_pg_tenant.operations.Protect("{model._meta.object_name}")',
                            obj=model,
                            id="pg_tenant.W003",
                        )
                    )
    return found
