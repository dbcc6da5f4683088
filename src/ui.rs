//! The terminal: the one user of stdout, stderr, prompts and progress bars.
//!
//! stdout carries results, stderr everything else. All text passes through `Secrets::hide`. Colour,
//! bars and questions are for terminals only, and NO_COLOR is honoured. A reader that went away is
//! no reason to panic. Where several jobs run side by side, each has a terminal that holds its
//! messages back until its turn. `render` has the words' shape; this room knows only where they go.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::error::{Error, Exit, Problem, Problems};
use crate::kinds::Registry;
use crate::render::problem::problem_text;
use crate::render::snippet::Cover;
use crate::render::{Style, visible};
use crate::secret::Secrets;

/// So many problems are shown with their lines; of the rest the place and the message.
const DETAILED: usize = 100;

/// The terminal of this run.
#[derive(Debug, Clone, Default)]
pub struct Ui {
    secrets: Secrets,
    verbose: u8,
    bars: MultiProgress,
    failure: Arc<Mutex<Option<String>>>,
    /// Messages that wait for their turn.
    held: Option<Arc<Mutex<String>>>,
}

impl Ui {
    /// Opens the terminal; every text in `secrets` is hidden in all that is printed.
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, ..Self::default() }
    }

    /// Sets how much is said: the number of `-v`.
    #[must_use]
    pub fn with_verbose(self, verbose: u8) -> Self {
        Self { verbose, ..self }
    }

    /// Gives a terminal that holds messages back until [`Ui::release`], for work beside other work.
    #[must_use]
    pub fn holding(&self) -> Self {
        Self { held: Some(Arc::default()), ..self.clone() }
    }

    /// Prints the messages that were held back, if there are any, below a line that says whose they
    /// are.
    pub fn release(&self, whose: &str) {
        let held =
            self.held.as_ref().map(|held| std::mem::take(&mut *held.lock().unwrap_or_else(PoisonError::into_inner)));
        if let Some(text) = held.filter(|text| !text.is_empty()) {
            self.print(&format!("{whose}:\n{text}"));
        }
    }

    /// Tells how results are to be styled.
    #[must_use]
    pub fn style(&self) -> Style {
        style_of(AutoStream::choice(&std::io::stdout()))
    }

    fn message_style() -> Style {
        style_of(AutoStream::choice(&std::io::stderr()))
    }

    /// Prints a result to stdout.
    ///
    /// What can't be written is remembered for [`Ui::failure`].
    pub fn result(&self, text: &str) {
        let text = self.secrets.hide(text);
        let written = self.bars.suspend(|| {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        // A reader that has seen enough, such as `head`, is no failure.
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    }

    /// Gives the failure to write a result, if there was one.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        let cause = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Error::new("the result could not be written to stdout").because(cause))
    }

    /// Prints a message to stderr, as a line.
    pub fn say(&self, text: &str) {
        self.message(&format!("{text}\n"));
    }

    /// Prints a line to stderr if `-v` was given.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.say(text);
        }
    }

    fn message(&self, text: &str) {
        match &self.held {
            Some(held) => held.lock().unwrap_or_else(PoisonError::into_inner).push_str(text),
            None => self.print(text),
        }
    }

    fn print(&self, text: &str) {
        let text = self.secrets.hide(text);
        // Nobody is left to tell when stderr is gone.
        let _ = self.bars.suspend(|| AutoStream::auto(std::io::stderr().lock()).write_all(text.as_bytes()));
    }

    /// Gives a writer to stderr for log lines: it hides secrets and does not disturb progress bars.
    #[must_use]
    pub fn log(&self) -> Log {
        Log(self.clone())
    }

    fn problem_text(&self, problem: &Problem, style: Style) -> String {
        let hide = |text: &String| self.secrets.hide(text);
        let mut hidden = problem.clone();
        hidden.message = hide(&problem.message);
        hidden.hint = problem.hint.as_ref().map(hide);
        for (_, word) in &mut hidden.also {
            *word = hide(word);
        }
        problem_text(&hidden, &Cover::of(Registry::builtin(), self.secrets.clone()), style)
    }

    /// Prints problems that do not stop the run, in the order of their places.
    pub fn warnings(&self, problems: Problems) {
        for problem in problems.sorted() {
            self.say(&format!("{}\n", self.problem_text(&problem, Self::message_style())));
        }
    }

    /// Prints a failure with its problems, causes and hint.
    pub fn error(&self, error: &Error) {
        self.message(&self.error_text(error, Self::message_style()));
    }

    fn error_text(&self, error: &Error, style: Style) -> String {
        let problems = error.problems.clone().sorted();
        let problems = problems.iter().enumerate().map(|(at, problem)| match &problem.origin {
            Some(origin) if at >= DETAILED => {
                let message = self.secrets.hide(&problem.message);
                format!("{}: {}\n", visible(&origin.to_string()), visible(&message))
            }
            _ => format!("{}\n\n", self.problem_text(problem, style)),
        });
        let red = anstyle::AnsiColor::BrightRed.on_default().bold();
        let cyan = anstyle::AnsiColor::BrightCyan.on_default().bold();
        let line = |word: &str, ansi: anstyle::Style, text: &str| {
            let text = self.secrets.hide(text).lines().map(visible).collect::<Vec<_>>().join("\n    ");
            match style {
                Style::Plain => format!("{word}: {text}\n"),
                Style::Colour => format!("{ansi}{word}:{ansi:#} {text}\n"),
            }
        };
        problems
            .chain([line("error", red, &error.message)])
            .chain(error.causes.iter().map(|cause| line("caused by", red, cause)))
            .chain(error.hint.iter().map(|hint| line("hint", cyan, hint)))
            .collect()
    }

    /// Asks a question that is answered with yes or no; no is the default.
    ///
    /// # Errors
    /// Where nobody can be asked (stdin or stderr is no terminal), and when the question is
    /// interrupted.
    pub fn ask(&self, question: &str) -> Result<bool, Error> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Error::new(format!("nobody can answer `{question}`: stdin or stderr is no terminal"))
                .hint("give `--yes` to answer with yes"));
        }
        let prompt = dialoguer::Confirm::new().with_prompt(visible(&self.secrets.hide(question))).default(false);
        match self.bars.suspend(|| prompt.interact_opt()) {
            Ok(answer) => Ok(answer.unwrap_or(false)),
            Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::Interrupted => {
                Err(Error { exit: Exit::Interrupted, ..Error::new("interrupted, nothing was written") })
            }
            Err(error) => Err(Error::new("the question could not be asked").because(error)),
        }
    }

    /// Begins to show how far some work is: a bar on a terminal, else a line a step with `-v`.
    #[must_use]
    pub fn progress(&self, steps: usize) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = self.bars.add(ProgressBar::new(steps as u64));
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Progress { ui: self.clone(), bar }
    }
}

fn style_of(choice: ColorChoice) -> Style {
    if choice == ColorChoice::Never { Style::Plain } else { Style::Colour }
}

/// Shows how far some work is, until it is dropped.
#[derive(Debug)]
pub struct Progress {
    ui: Ui,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Says what is being done.
    pub fn begin(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(visible(&self.ui.secrets.hide(text)));
        }
    }

    /// Counts a step as done; without a bar, with a line about it for `-v`.
    pub fn done(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => self.ui.detail(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A writer to stderr for log lines.
#[derive(Debug)]
pub struct Log(Ui);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.message(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Ui;
    use crate::error::{Error, Origin, Problem, Problems, SourceText};
    use crate::render::Style;
    use crate::secret::Secrets;

    #[test]
    fn a_failure_is_its_problems_then_what_failed_why_and_what_to_do() {
        let source = SourceText::new("tenant.yaml", "one\ntwo hunter2-hunter2\n");
        let secrets = Secrets::default();
        secrets.learn("hunter2-hunter2");
        let mut problems = Problems::default();
        problems.push(Problem::error("second: hunter2-hunter2").at(Some(Origin::new(&source, 4..7))).hint("mend it"));
        problems.push(Problem::error("first").at(Some(Origin::new(&source, 0..3))));
        let error = Error::from(problems).because("an evil\u{1b}[2J cause\nof two lines").hint("look there");
        insta::assert_snapshot!(Ui::new(secrets).error_text(&error, Style::Plain));
    }

    #[test]
    fn without_a_terminal_a_question_is_an_error() {
        // The harness gives tests no terminal on stdin; where it does, there is nothing to test.
        if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            let error = Ui::default().ask("Apply?").unwrap_err();
            assert_eq!(error.message, "nobody can answer `Apply?`: stdin or stderr is no terminal");
            assert!(error.hint.unwrap().contains("--yes"));
        }
    }
}
