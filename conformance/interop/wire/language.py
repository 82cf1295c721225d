"""Which of the two languages an Accept-Language prefers (HDR-05)."""

LANGUAGES = ("ja", "en")
DEFAULT = "en"


def preferred(header):
    """The language of the greatest quality, the earlier named of equal ones; English where neither is named."""
    best = {}
    for place, entry in enumerate((header or "").split(",")):
        parts = [part.strip() for part in entry.split(";")]
        quality = _quality(parts[1:])
        for language in _meant(parts[0].lower()):
            specific = parts[0] != "*"
            if language not in best or specific > best[language][2]:
                best[language] = (quality, -place, specific)
    ranked = sorted(((best[one][0], best[one][1], one) for one in LANGUAGES if one in best), reverse=True)
    return ranked[0][2] if ranked and ranked[0][0] > 0 else DEFAULT


def _meant(tag):
    return LANGUAGES if tag == "*" else [one for one in LANGUAGES if tag == one or tag.startswith(one + "-")]


def _quality(parameters):
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return max(0.0, min(1.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
