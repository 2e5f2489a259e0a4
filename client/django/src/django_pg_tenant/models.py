"""The column of the tenant, filled by the database."""

from django.db import models


class CurrentTenant(models.Func):
    template = "%(function)s()"
    arity = 0

    def __init__(self, **extra):
        super().__init__(**extra)


class TenantColumn:
    """Column tenant_id, whose default is the current tenant. Not shown in forms: nobody chooses it."""

    reader = None

    def __init__(self, **options):
        options.setdefault("db_column", "tenant_id")
        options.setdefault("editable", False)
        options["db_default"] = CurrentTenant(function=self.reader, output_field=self.value())
        super().__init__(**options)

    def deconstruct(self):
        name, path, args, options = super().deconstruct()
        del options["db_default"]
        return name, path, args, options


class TenantField(TenantColumn, models.TextField):
    reader = "tenant.current_id"
    value = models.TextField


class TenantUUIDField(TenantColumn, models.UUIDField):
    reader = "tenant.current_uuid"
    value = models.UUIDField


class TenantBigIntegerField(TenantColumn, models.BigIntegerField):
    reader = "tenant.current_bigint"
    value = models.BigIntegerField
