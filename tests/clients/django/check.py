import asyncio
import os
import unittest
from concurrent.futures import ThreadPoolExecutor

import checks
from checks import Same, Stop

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"


def manage(*arguments, **environment):
    return checks.run("manage.py", *arguments, **environment)


OWNER = {"PGUSER": "app_owner"}
manage("migrate", "shop", "0001", **OWNER)

import django  # noqa: E402

django.setup()

from django.db import DatabaseError, connection, transaction  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django_pg_tenant import AnotherTenant, current_tenant, system_context, tenant_context  # noqa: E402
from shop.models import Label, Order, OrderLabel  # noqa: E402

for tenant, note in {"acme": "anvil", "globex": "stapler"}.items():
    with tenant_context(tenant):
        Order.objects.create(note=note)
manage("migrate", "shop", "0002", **OWNER)
threads = ThreadPoolExecutor(4)


async def in_thread(call):
    """Not asyncio.to_thread, which gives a thread what the task knows of its tenant: these know nothing."""
    return await asyncio.get_running_loop().run_in_executor(threads, call)


class Orm(Same):
    table = "shop_order"

    async def notes(self, tenant):
        def notes():
            with tenant_context(tenant):
                return list(Order.objects.order_by("note").values_list("note", flat=True))

        return await in_thread(notes)

    async def add(self, tenant, note):
        def add():
            with tenant_context(tenant):
                Order.objects.create(note=note)

        await in_thread(add)

    async def remove(self, tenant, note):
        def remove():
            with tenant_context(tenant):
                Order.objects.filter(note=note).delete()

        await in_thread(remove)

    async def fail(self, tenant, note):
        def fail():
            with tenant_context(tenant):
                Order.objects.create(note=note)
                raise Stop

        await in_thread(fail)

    async def forget(self):
        def forget():
            try:
                return list(Order.objects.all())
            except DatabaseError as error:
                return error.__cause__.sqlstate, str(error)

        return await in_thread(forget)

    async def outside(self):
        def outside():
            with connection.cursor() as cursor:
                cursor.execute("select tenant.current_id()")
                return cursor.fetchone()[0]

        return await in_thread(outside)

    async def test_use(self):
        self.assertEqual(checks.run("use.py"), "['anvil', 'mallet']")
        await self.remove("acme", "mallet")


class Blocks(unittest.TestCase):
    def count(self, note="anvil"):
        return Order.objects.filter(note=note).count()

    def test_another_tenant_inside_is_refused_before_anything_is_sent(self):
        with tenant_context("acme"):
            with tenant_context("acme"):
                self.assertEqual(self.count(), 1)
            with self.assertRaises(AnotherTenant), tenant_context("globex"):
                self.fail()
            with self.assertRaises(AnotherTenant), system_context("all"):
                self.fail()
            self.assertEqual((self.count(), current_tenant()), (1, "acme"))
        self.assertIsNone(current_tenant())

    def test_statements_outside_of_atomic_have_a_transaction_each(self):
        with tenant_context("acme", atomic=False):
            order = Order.objects.create(note="one")
            self.assertEqual(order.tenant, "acme")
            self.assertEqual(self.count("one"), 1)
            self.assertEqual([o.note for o in Order.objects.order_by("note").iterator(chunk_size=1)], ["anvil", "one"])
            order.delete()
            with transaction.atomic():
                self.assertEqual(self.count(), 1)
        with self.assertRaises(DatabaseError):
            self.count()

    def test_a_transaction_that_began_before_the_block(self):
        with transaction.atomic():
            with tenant_context("acme"):
                self.assertEqual(self.count(), 1)
            with self.assertRaises(DatabaseError) as caught, transaction.atomic(), tenant_context("globex"):
                self.fail()
            self.assertEqual(caught.exception.__cause__.sqlstate, "TN005")
        with tenant_context("globex"):
            self.assertEqual(self.count(), 0)

    def test_a_hook_on_commit_is_in_the_tenant_too(self):
        seen = []
        with tenant_context("acme"):
            transaction.on_commit(lambda: seen.append(self.count()))
        self.assertEqual(seen, [1])

    def test_a_savepoint_that_fails(self):
        with tenant_context("acme"):
            with self.assertRaises(DatabaseError), transaction.atomic():
                Order.objects.create(note="smuggled", tenant="globex")
            self.assertEqual(self.count(), 1)

    def test_what_orms_do(self):
        with tenant_context("globex"):
            Label.objects.create(name="hot")
        with tenant_context("acme"):
            hot, made = Label.objects.get_or_create(name="hot")
            self.assertTrue(made)
            self.assertEqual(Label.objects.update_or_create(name="hot", defaults={"name": "cold"})[0].pk, hot.pk)
            Label.objects.bulk_create([Label(name="cold"), Label(name="new")], ignore_conflicts=True)
            upsert = {"update_conflicts": True, "unique_fields": ["tenant", "name"], "update_fields": ["name"]}
            Label.objects.bulk_create([Label(name="new"), Label(name="hot")], **upsert)
            names = Label.objects.exclude(name="old").order_by("name")
            self.assertEqual(list(names.values_list("name", flat=True)), ["cold", "hot", "new"])
            order = Order.objects.create(note="labelled")
            order.labels.set(names)
            self.assertEqual({o.tenant for o in OrderLabel.objects.all()}, {"acme"})
            shown = Order.objects.prefetch_related("labels").annotate(n=django.db.models.Count("labels")).order_by("-n")[:10]
            self.assertEqual([(o.note, o.n, len(o.labels.all())) for o in shown], [("labelled", 3, 3), ("anvil", 1, 1)])
            self.assertEqual([o.note for o in Order.objects.order_by("pk").iterator(chunk_size=1)], ["anvil", "labelled"])
            self.assertEqual(Order.objects.select_for_update().get(note="labelled"), order)
            Order.objects.bulk_update([order], ["note"])
            Order.objects.filter(pk=order.pk).update(note="done")
            order.delete()
            names.delete()
        with tenant_context("globex"):
            self.assertEqual(Label.objects.filter(name="hot").delete()[0], 1)

    def test_another_tenants_key_finds_nothing(self):
        with tenant_context("globex"):
            key = Order.objects.get().pk
        with tenant_context("acme"):
            self.assertFalse(Order.objects.filter(pk=key).exists())
            self.assertEqual(Order.objects.filter(pk=key).update(note="taken"), 0)
            with self.assertRaises(DatabaseError):
                Order(pk=key, note="taken").save(force_update=True)

    @unittest.skipIf(checks.pooled, "which session is dirty is PgBouncer's to know")
    def test_a_dirty_connection_is_not_used_again(self):
        with connection.cursor() as cursor:
            cursor.execute("create temporary table left_behind ()")
        with self.assertRaises(DatabaseError) as caught, tenant_context("acme"):
            self.fail()
        self.assertEqual(caught.exception.__cause__.sqlstate, "TN008")
        with tenant_context("acme"):
            self.assertEqual(self.count(), 1)


class Requests(unittest.TestCase):
    def get(self, path, tenant, client=None):
        return (client or Client()).get(path, headers={"X-Tenant": tenant})

    def test_each_request_is_its_tenants(self):
        client = Client()
        for _ in range(3):
            self.assertEqual(self.get("/orders", "acme", client).json(), ["anvil"])
            self.assertEqual(self.get("/orders", "globex", client).json(), ["stapler"])
        self.assertIsNone(current_tenant())

    def test_a_view_that_fails_leaves_no_tenant_and_no_row(self):
        with self.assertRaises(RuntimeError):
            self.get("/fail", "acme")
        self.assertIsNone(current_tenant())
        self.assertEqual(self.get("/orders", "globex").json(), ["stapler"])
        self.assertEqual(self.get("/orders", "acme").json(), ["anvil"])

    def test_a_request_of_nobody_is_refused(self):
        with self.assertRaises(DatabaseError) as caught:
            Client().get("/orders")
        self.assertEqual(caught.exception.__cause__.sqlstate, "TN001")

    def test_a_template_that_is_rendered_after_the_view(self):
        self.assertEqual(self.get("/late", "acme").content, b"anvil,")

    def test_async_views_of_two_tenants_at_once(self):
        async def gather():
            tenants = ["acme", "globex"] * 10
            answers = await asyncio.gather(*(AsyncClient().get("/async", headers={"X-Tenant": t}) for t in tenants))
            return [answer.json() for answer in answers]

        self.assertEqual(asyncio.run(gather()), [[["anvil"], 1], [["stapler"], 1]] * 10)


class Migrations(unittest.TestCase):
    def test_the_rows_of_all_tenants_were_migrated(self):
        for tenant in ["acme", "globex"]:
            with tenant_context(tenant):
                self.assertEqual([(o.order.note, o.label.name) for o in OrderLabel.objects.filter(label__name="old")][0][1], "old")

    def test_django_has_no_changes_to_propose(self):
        manage("makemigrations", "--check", "--dry-run")

    def test_the_checks_are_silent(self):
        self.assertIn("no issues", manage("check", "--database", "default"))

    def test_the_checks_tell_of_a_join_table_and_of_open_tables(self):
        with open("shop/models.py") as file:
            models = file.read()
        worse = models.replace(', through="OrderLabel"', "")
        worse += "\n\nclass Note(models.Model):\n    order = models.ForeignKey(Order, models.CASCADE)\n"
        worse += "\n\nclass Forgotten(models.Model):\n    tenant = TenantField()\n"
        try:
            with open("shop/models.py", "w") as file:
                file.write(worse)
            found = checks.errors("manage.py", "check", "--database", "default", "--fail-level", "WARNING")
        finally:
            with open("shop/models.py", "w") as file:
                file.write(models)
        self.assertIn("pg_tenant.W001) shop.Order.labels makes the table shop_order_labels", found)
        self.assertIn("pg_tenant.W002) shop.Note refers to rows of a tenant", found)
        self.assertIn("pg_tenant.W003) the table shop_forgotten has a tenant column and is not protected", found)


@unittest.skipIf(checks.pooled, "a test database comes and goes")
class Tests(unittest.TestCase):
    def test_the_tests_of_the_page(self):
        for _ in range(2):
            said = checks.errors("manage.py", "test", "--keepdb", status=0, PGUSER="app_test")
            self.assertIn("Ran 4 tests", said)


class WithHardenedKeys(Blocks):
    @classmethod
    def setUpClass(cls):
        manage("migrate", **OWNER)

    def test_a_reference_to_another_tenants_row_is_refused(self):
        with tenant_context("globex"):
            order = Order.objects.get()
        with tenant_context("acme"), self.assertRaises(DatabaseError) as caught, transaction.atomic():
            OrderLabel.objects.create(order=order, label=Label.objects.get(name="old"))
            with connection.cursor() as cursor:
                cursor.execute("set constraints all immediate")
        self.assertEqual(caught.exception.__cause__.sqlstate, "23503")


class WithPool(Blocks):
    @classmethod
    def setUpClass(cls):
        cls.set(OPTIONS={"pool": {"min_size": 1, "max_size": 2}}, CONN_MAX_AGE=0)

    @classmethod
    def tearDownClass(cls):
        cls.set(OPTIONS={}, CONN_MAX_AGE=60)

    @staticmethod
    def set(**settings):
        connection.close_pool()
        connection.close()
        connection.settings_dict |= settings

    def tearDown(self):
        connection.close()  # as at the end of a request: back to the pool


class ZeroAndBackAgain(unittest.TestCase):
    def test_all_migrations(self):
        manage("sqlmigrate", "shop", "0001")
        manage("migrate", "shop", "zero", **OWNER)
        manage("migrate", "shop", **OWNER)
        self.assertIn("no issues", manage("check", "--database", "default"))
        with self.assertRaises(DatabaseError) as caught:
            Order.objects.count()
        self.assertEqual(caught.exception.__cause__.sqlstate, "TN001")


del Same
checks.main()
