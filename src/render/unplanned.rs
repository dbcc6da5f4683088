//! An environment of which there is no plan, in the place where its plan would stand.
//!
//! For reports on several environments: one that failed must neither hide the others nor go unseen
//! itself. The whole error, with the lines of the files, is `problem`'s and `ui`'s to show; this is
//! what stays in the report. It is made without the secrets of this run, as `hidden` makes a plan.

use serde::Serialize;

use super::plan_markdown::inert;
use super::{Style, Tone, visible};
use crate::error::{Error, Problem, Severity};
use crate::plan::Source;
use crate::secret::Secrets;

/// Why an environment has no plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unplanned {
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`; missing where the project file does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What failed.
    pub error: Why,
}

/// An error without its exit code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// What failed.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is wrong with the files, if that is why.
    pub problems: Vec<Wrong>,
}

/// A problem in the user's files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrong {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Unplanned {
    /// Takes down an error, with the secrets of this run hidden in every text.
    #[must_use]
    pub fn new(environment: &str, tenant: Option<String>, error: &Error, secrets: &Secrets) -> Self {
        let hide = |text: &String| secrets.hide(text);
        let wrong = |problem: &Problem| Wrong {
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: hide(&problem.message),
            source: problem.origin.as_ref().map(|origin| Source {
                file: hide(&origin.source.name),
                line: origin.line(),
                column: origin.column(),
            }),
            hint: problem.hint.as_ref().map(hide),
        };
        Self {
            environment: environment.to_owned(),
            tenant,
            error: Why {
                message: hide(&error.message),
                causes: error.causes.iter().map(hide).collect(),
                hint: error.hint.as_ref().map(hide),
                problems: error.problems.clone().sorted().iter().map(wrong).collect(),
            },
        }
    }

    fn title(&self) -> String {
        let tenant = self.tenant.as_ref().map_or_else(String::new, |tenant| format!(" ({tenant})"));
        visible(&format!("No plan for {}{tenant}", self.environment))
    }

    /// Writes it for a person, who has the error itself beside it on stderr.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        format!("{}\n\n  error: {}\n", style.paint(Tone::Strong, &self.title()), lines(&self.error.message))
    }

    /// Writes it for a comment on a pull request.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Why { message, causes, hint, problems } = &self.error;
        let place = |Source { file, line, column }: &Source| format!("{file}:{line}:{column}: ");
        let of_problem = |wrong: &Wrong| {
            let place = wrong.source.as_ref().map_or_else(String::new, place);
            let hint = wrong.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            format!("{place}{}{hint}", wrong.message)
        };
        let causes = causes.iter().map(|cause| format!("caused by: {cause}"));
        let hint = hint.iter().map(|hint| format!("hint: {hint}"));
        let items = problems.iter().map(of_problem).chain(causes).chain(hint);
        let items: Vec<String> = items.map(|item| format!("- {}\n", inert(&lines(&item)))).collect();
        let between = if items.is_empty() { "" } else { "\n" };
        let (title, message) = (inert(&self.title()), inert(&lines(message)));
        format!("### {title}\n\n**error: {message}**\n{between}{}", items.concat())
    }
}

/// Keeps a text of several lines in one.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Unplanned;
    use crate::error::{Error, Origin, Problem, Problems, SourceText};
    use crate::render::Style;
    use crate::secret::Secrets;

    fn example() -> Unplanned {
        let source = SourceText::new("tenant.yaml", "one\ntwo\n");
        let secrets = Secrets::default();
        secrets.learn("hunter2-hunter2");
        let mut problems = Problems::default();
        problems.push(Problem::error("bad: hunter2-hunter2").at(Some(Origin::new(&source, 4..7))).hint("mend *it*"));
        let error = Error::from(problems).because("an evil\u{1b}[2J cause").hint("look there");
        Unplanned::new("prod", Some("northwind.eu.auth0.com".to_owned()), &error, &secrets)
    }

    #[test]
    fn an_error_stands_where_the_plan_would() {
        let unplanned = example();
        let json = serde_json::to_string_pretty(&unplanned).unwrap();
        let forms = [unplanned.text(Style::Plain), unplanned.markdown(), json];
        insta::assert_snapshot!(forms.join("\n-----\n"));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let unplanned = Unplanned::new("prod", None, &Error::new("no"), &Secrets::default());
        let json = serde_json::to_string(&unplanned).unwrap();
        assert_eq!(json, r#"{"environment":"prod","error":{"message":"no","causes":[],"problems":[]}}"#);
        assert_eq!(unplanned.markdown(), "### No plan for prod\n\n**error: no**\n");
    }
}
