from django.urls import path

from shop import views

urlpatterns = [
    path("orders", views.orders),
    path("fail", views.fail),
    path("late", views.late),
    path("async", views.orders_async),
]
