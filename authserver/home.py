"""The page at our address: what this server is."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from authserver.conf import load


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html", {"issuer": load().issuer, "demo": load().demo})
