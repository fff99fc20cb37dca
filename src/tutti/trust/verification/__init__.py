"""Cross-verification: what an answer claims, checked by specialists that did not make it."""
