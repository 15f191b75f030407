"""What every page of the operators' console stands on: bounded lists, no oracles, an audit row for each change.

Django's admin lets whoever may see a list filter it by any column of the row, shown or not: `?sealed__startswith=a` asks
a yes-or-no question about a secret. Here only what stands in `list_filter` can be asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet, UUIDField
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property

from accounts import audit, changes

MAX_SEARCH = 255
_LOOKUPS = ("", "__exact", "__isnull", "__gte", "__gt", "__lt", "__lte", "__id__exact")


def actor(request: HttpRequest) -> str:
    """Who does it, as the audit trail names an operator."""
    return request.user.get_username()


if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
else:  # generic in the stubs only
    AnyPaginator, AnyModelAdmin = Paginator, admin.ModelAdmin


def row_for(model_admin: AnyModelAdmin, request: HttpRequest, object_id: str, *, allowed: bool) -> Any:
    """The row that a page of our own is about. Whoever is not `allowed` is refused before anybody looks, and so learns
    nothing of which rows there are. Raises `PermissionDenied`, `Http404`."""
    if not allowed:
        raise PermissionDenied
    row = model_admin.get_object(request, unquote(object_id))
    if row is None:
        raise Http404
    return row


class KnowsAddresses(Protocol):
    """Our admin site: it knows which proxies to believe, which is no business of `accounts`."""

    def address_of(self, request: HttpRequest) -> str | None:
        """Where the operator's request comes from."""


class BoundedPaginator(AnyPaginator):
    """Counts no further than it needs to: on a table of millions a COUNT takes seconds, and nobody turns to page 2,000."""

    MAX_ROWS = 1000

    @cached_property
    def count(self) -> int:
        found: QuerySet[Any] = self.object_list[: self.MAX_ROWS]  # type: ignore[assignment]  # the admin's queryset
        return found.count()


class ConsoleAdmin(AnyModelAdmin):
    """`searched` are indexed columns, compared with the whole search text: by their beginning, UUIDs exactly."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each number beside a filter would be a COUNT of the whole table
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 0
    view_on_site = False  # no row has a page beside this one
    sortable_by = ()  # each list has the one order that an index gives; any other would sort the whole table
    searched: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """Parameters of a filter form of the page's own, which decides what they may be."""
    personal: tuple[str, ...] = ()
    """Fields that say who somebody is: the trail, which outlives whoever is forgotten, notes only that they changed."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the list's own filters ask; anything else is a 400."""
        asked: set[str] = set()
        for item in self.list_filter:
            if isinstance(item, str):
                asked.update(item + ending for ending in _LOOKUPS)
            elif isinstance(item, type) and issubclass(item, SimpleListFilter):
                asked.add(str(item.parameter_name))
        return lookup in asked and "\x00" not in str(value)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.searched

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()[:MAX_SEARCH]
        if not term or not self.searched:
            return queryset, False
        matching = Q(pk__in=[])
        for name in self.searched:
            matching |= self._matching(name, term)
        return queryset.filter(matching), False

    def _matching(self, name: str, term: str) -> Q:
        if _is_uuid(self.model, name):
            try:
                return Q(**{name: UUID(term)})
            except ValueError:
                return Q(pk__in=[])
        return Q(**{f"{name}__startswith": term})

    # One audit row beside each line of Django's own history, which lives and dies with the operator's account.
    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django's last look at the form, before the change is logged: ours too."""
        request.console_changes = changes.made(form, formsets or (), personal=self.personal)  # type: ignore[attr-defined]  # ours, read below
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record("added", request, obj, changes=getattr(request, "console_changes", {}))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        changed = [
            name for part in message if isinstance(part, dict) for name in part.get("changed", {}).get("fields", [])
        ]
        self._record("changed", request, obj, fields=changed, changes=getattr(request, "console_changes", {}))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            self._record("deleted", request, obj, changes=changes.gone(obj, personal=self.personal))
        return super().log_deletions(request, queryset)

    def address_of(self, request: HttpRequest) -> str | None:
        return cast(KnowsAddresses, self.admin_site).address_of(request)

    def _record(self, what: str, request: HttpRequest, obj: Model, **detail: Any) -> None:
        audit.record(
            f"console.{what}",
            actor=actor(request),
            address=self.address_of(request),
            model=obj._meta.label_lower,
            object=str(obj.pk),
            **detail,
        )


def _is_uuid(model: type[Model], name: str) -> bool:
    """Whether the column that `user__id` ends at holds UUIDs."""
    first, _, rest = name.partition("__")
    field = model._meta.get_field(first)
    related = field.related_model
    if rest and isinstance(related, type):
        return _is_uuid(related, rest)
    return isinstance(field, UUIDField)


class ReadOnlyAdmin(ConsoleAdmin):
    """Looks, and nothing else: no add, no change, no delete."""

    actions: tuple[str, ...] | None = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
