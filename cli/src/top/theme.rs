//! How things look. No colour says anything that a character does not say, too.

use ratatui::style::{Color, Modifier, Style};

/// Colours, if there are any, and letters beyond ASCII, if the terminal shows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    colour: bool,
    /// Whether bars are drawn with blocks.
    pub(crate) blocks: bool,
}

impl Theme {
    pub(crate) const fn new(colour: bool, blocks: bool) -> Self {
        Self { colour, blocks }
    }

    fn coloured(self, style: Style, colour: Color) -> Style {
        if self.colour { style.fg(colour) } else { style }
    }

    /// The names of columns, keys and fields.
    pub(crate) fn title(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::BOLD), Color::Cyan)
    }

    /// The name of the program.
    pub(crate) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The server is there.
    pub(crate) fn good(self) -> Style {
        self.coloured(self.bold(), Color::Green)
    }

    /// The server is lost, or an answer is wanted.
    pub(crate) fn urgent(self) -> Style {
        self.coloured(self.bold().add_modifier(Modifier::REVERSED), Color::Red)
    }

    /// A row that needs attention.
    pub(crate) fn alarming(self) -> Style {
        self.coloured(self.bold(), Color::Yellow)
    }

    /// The selected row.
    pub(crate) fn selected(self, style: Style) -> Style {
        style.add_modifier(Modifier::REVERSED)
    }

    /// What is old.
    pub(crate) fn dim(self, style: Style) -> Style {
        style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM)
    }
}
