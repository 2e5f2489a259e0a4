"""Whose a request is: settings.PG_TENANT_RESOLVER names a function of the request that gives the tenant's id, or None."""

from inspect import iscoroutinefunction

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

from .context import tenant_context


@sync_and_async_middleware
def tenant_middleware(get_response):
    resolve = import_string(settings.PG_TENANT_RESOLVER)
    if iscoroutinefunction(get_response):
        resolve_async = resolve if iscoroutinefunction(resolve) else sync_to_async(resolve)

        async def middleware(request):
            id = await resolve_async(request)
            if id is None:
                return await get_response(request)
            with tenant_context(id, atomic=False):
                return await get_response(request)

    else:

        def middleware(request):
            id = resolve(request)
            if id is None:
                return get_response(request)
            with tenant_context(id, atomic=False):
                return get_response(request)

    return middleware
