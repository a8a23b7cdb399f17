"""QR codes, drawn by the server: no script, and no other site, ever sees what they hold."""

from markupsafe import Markup

from tgm.security.secret import Secret

# What the standard asks for around a code; many scanners find none without it.
_QUIET_ZONE = 4


def qr_code(content: Secret) -> Markup:
    """Return the code as an SVG element without a size: black on white, whatever the page's theme.

    It has no style attribute, which the Content-Security-Policy forbids.
    """
    # Here, as hardly anybody needs it: it takes 2 MiB.
    import segno

    drawn = segno.make(content.value, error="m", micro=False).svg_inline(
        border=_QUIET_ZONE, dark="#000", light="#fff", svgclass=None, lineclass=None, omitsize=True
    )
    return Markup(drawn)  # noqa: S704 - segno draws paths only
