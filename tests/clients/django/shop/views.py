from django.db import transaction
from django.http import JsonResponse
from django.template.backends.django import DjangoTemplates
from django.template.response import TemplateResponse

from shop.models import Order


def notes():
    return Order.objects.order_by("note").values_list("note", flat=True)


def orders(request):
    if request.method == "POST":
        Order.objects.create(note=request.POST["note"])
    return JsonResponse(list(notes()), safe=False)


def fail(request):
    Order.objects.create(note="lost")
    raise RuntimeError("after the insert")


def late(request):
    """Rendered when the view, and with it ATOMIC_REQUESTS' transaction, is over."""
    engine = DjangoTemplates({"NAME": "django", "DIRS": [], "APP_DIRS": False, "OPTIONS": {}})
    template = engine.from_string("{% for note in notes.iterator %}{{ note }},{% endfor %}")
    return TemplateResponse(request, template, {"notes": notes()})


@transaction.non_atomic_requests
async def orders_async(request):
    found = [note async for note in notes()]
    return JsonResponse([found, await Order.objects.acount()], safe=False)
