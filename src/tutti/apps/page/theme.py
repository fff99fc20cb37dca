"""One calm look, light and dark: fonts of the reader's own system, colours whose contrast is enough (WCAG 2.2, AA)."""

from __future__ import annotations

from typing import Any

CSS = """
.gradio-container { width: 100% !important; max-width: 1100px !important; margin: 0 auto !important; }
.dark { --color-accent: var(--primary-400) !important; }
#title p { margin: 0; }
#verdicts li, #redacted li { overflow-wrap: anywhere; }
[aria-label="Share"] { display: none !important; }
#chat .placeholder-content, #shop-chat .placeholder-content { padding: 0 16px; }
.player video, .player img { max-width: 100%; max-height: 60vh; }
.player audio { width: 100%; }
.spans button { display: block; width: 100%; margin: 4px 0; padding: 6px 10px; text-align: left; cursor: pointer;
  overflow-wrap: anywhere; border: 1px solid var(--border-color-primary); border-radius: 6px;
  color: var(--body-text-color); background: var(--background-fill-secondary); }
.spans button:focus-visible { outline: 2px solid var(--color-accent); }
.report { width: 100%; height: 75vh; border: 0; background: #fff; border-radius: 6px; }
.case summary { cursor: pointer; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .gradio-container .main { padding: 10px !important; min-width: 0 !important; }
}
"""

SCRIPT = """
new MutationObserver(() => {
  document.querySelectorAll('button[aria-label="Click to upload or drop files"]').forEach(
    (one) => one.removeAttribute("aria-label"));
  document.querySelectorAll(".overflow-menu > button:not([aria-label])").forEach(
    (one) => one.setAttribute("aria-label", "More tabs"));
  document.querySelectorAll("div.empty[aria-label]:not([role])").forEach((one) => one.setAttribute("role", "img"));
}).observe(document, {childList: true, subtree: true});
"""
"""Names that Gradio's parts lack for those who do not see them: buttons for files are called what is written on them
(WCAG 2.2, 2.5.3), the menu of the tabs that a phone has no room for has a name, and what is empty a role (4.1.2)."""


def theme() -> Any:
    """The theme of Gradio, with no font from elsewhere."""
    import gradio as gr

    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    made = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        font=sans,
        font_mono=("ui-monospace", "Menlo", "Consolas", "monospace"),
        radius_size="md",
    )
    return made.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_text_color="white",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color_dark="white",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        color_accent="*primary_700",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
