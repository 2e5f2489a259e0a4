from django.apps import AppConfig


class PgTenant(AppConfig):
    name = "django_pg_tenant"
    verbose_name = "pg_tenant"

    def ready(self):
        from . import checks  # noqa: F401: registers itself
