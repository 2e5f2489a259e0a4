from django.db import migrations
from django_pg_tenant.operations import Protect


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_label_all")]
    operations = [Protect(model, harden=True) for model in ["Label", "Order", "OrderLabel"]]
