//! A problem as a person reads it: what, where, the line with the place underlined, what to do.
//!
//! Between the stages that find problems and `ui`, which prints them. It shows one line of a file per
//! place, as `snippet` cuts and masks it; the secrets of this run in the message are hidden by `ui`.

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin as Place, Renderer, Snippet};
use anstream::adapter::strip_str;

use super::snippet::{Cover, Excerpt};
use super::{Style, visible};
use crate::error::{Origin, Problem, Severity};

/// Wide enough for every excerpt, so that the line is cut in one place only.
const WIDTH: usize = 400;

/// Writes a problem as a snippet, without a newline at the end.
#[must_use]
pub fn problem_text(problem: &Problem, cover: &Cover, style: Style) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut elements: Vec<Element<'static>> = Vec::new();
    if let Some(origin) = &problem.origin {
        elements.extend(place(origin, cover, AnnotationKind::Primary, None));
    }
    for (origin, word) in &problem.also {
        elements.extend(place(origin, cover, AnnotationKind::Context, Some(visible(word))));
    }
    elements.extend(problem.hint.iter().map(|hint| Level::HELP.message(visible_lines(hint)).into()));
    let title = level.primary_title(visible_lines(&problem.message));
    let report = [Group::with_title(title).elements(elements)];
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let text = renderer.term_width(WIDTH).render(&report);
    // A line without a path of its own is announced by a bare `:::`, which says nothing.
    let is_bare = |line: &&str| strip_str(line).to_string().trim() == ":::";
    text.lines().filter(|line| !is_bare(line)).collect::<Vec<_>>().join("\n")
}

/// Keeps the lines of a message of ours.
fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Shows one place. The position stands in an element of its own, because the excerpt may be cut.
fn place(origin: &Origin, cover: &Cover, kind: AnnotationKind, word: Option<String>) -> [Element<'static>; 2] {
    let excerpt = Excerpt::of(origin, cover);
    let file = Place::path(visible(&origin.source.name)).line(excerpt.line).char_column(excerpt.column);
    let annotation: Annotation<'static> = kind.span(excerpt.span).label(word);
    let line = Snippet::source(excerpt.text).line_start(excerpt.line).annotation(annotation);
    [file.into(), line.into()]
}

#[cfg(test)]
mod tests {
    use super::problem_text;
    use crate::error::{Origin, Problem, SourceText};
    use crate::render::Style;
    use crate::render::snippet::Cover;

    fn shown(problem: &Problem) -> String {
        problem_text(problem, &Cover::default(), Style::Plain)
    }

    #[test]
    fn a_problem_shows_the_line_with_the_place_underlined_and_the_hint() {
        let source = SourceText::new("tenant.yaml", "clients:\n  - name: Größe 😀\n    callbcaks: []\n");
        let at = |text: &str| {
            let start = source.text.find(text).unwrap();
            Some(Origin::new(&source, start..start + text.len()))
        };
        let problem = Problem::error("clients/Größe 😀: unknown field `callbcaks`")
            .at(at("callbcaks"))
            .also(at("Größe 😀"), "the application")
            .hint("did you mean `callbacks`?");
        insta::assert_snapshot!(shown(&problem));
    }

    #[test]
    fn a_problem_without_a_place_is_its_message_and_hint() {
        insta::assert_snapshot!(shown(&Problem::warning("keyword `X` is not used").hint("remove it")));
    }

    #[test]
    fn a_place_at_the_end_of_a_file_and_in_an_empty_one_can_be_shown() {
        let empty = SourceText::new("empty.yaml", "");
        insta::assert_snapshot!(shown(&Problem::error("nothing here").at(Some(Origin::new(&empty, 0..0)))));
        let short = SourceText::new("short.yaml", "a: \"b\n");
        insta::assert_snapshot!(shown(&Problem::error("unclosed quote").at(Some(Origin::new(&short, 6..6)))));
    }

    #[test]
    fn of_a_place_of_several_lines_the_first_is_shown() {
        let source = SourceText::new("a.yaml", "x:\n  - one\n  - two\n");
        insta::assert_snapshot!(shown(&Problem::error("bad").at(Some(Origin::new(&source, 5..18)))));
    }

    #[test]
    fn colour_is_added_only_when_it_is_asked_for() {
        let problem = Problem::error("an \u{1b}[31mevil\u{1b}[0m name");
        assert!(!shown(&problem).contains('\u{1b}'));
        assert!(problem_text(&problem, &Cover::default(), Style::Colour).contains('\u{1b}'));
    }
}
