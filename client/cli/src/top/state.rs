//! What is shown, and what keys do to it. Nothing here reads a terminal or a database.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Question};
use super::column::Column;
use super::detail::Detail;
use super::sample::Sample;

pub struct State {
    pub sample: Sample,
    pub sort: Column,
    /// The least first.
    pub reversed: bool,
    /// The chosen line, by name: it stays chosen where it moves.
    pub chosen: String,
    pub question: Option<Question>,
    /// The tenant that is looked into.
    pub detail: Option<Detail>,
    /// What was done, or why nothing is shown.
    pub said: String,
    pub paused: bool,
    /// One screen, as text: there are no keys.
    pub is_once: bool,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    Quit,
    /// Look again, at the list and at what is looked into.
    Refresh,
    /// Look into this tenant.
    Look(String),
    Do(Action),
}

impl State {
    pub fn new(sort: Column) -> State {
        State {
            sample: Sample::default(),
            sort,
            reversed: false,
            chosen: String::new(),
            question: None,
            detail: None,
            said: String::new(),
            paused: false,
            is_once: false,
        }
    }

    pub fn show(&mut self, mut sample: Sample) {
        let (sort, reversed) = (self.sort, self.reversed);
        sample.lines.sort_by(|a, b| {
            let order = sort.value(b).total_cmp(&sort.value(a)).then_with(|| a.name().cmp(&b.name()));
            if reversed { order.reverse() } else { order }
        });
        if !sample.lines.iter().any(|line| line.name() == self.chosen) {
            self.chosen = sample.lines.first().map(|line| line.name()).unwrap_or_default();
        }
        self.sample = sample;
    }

    /// Which line is chosen.
    pub fn at(&self) -> usize {
        self.sample.lines.iter().position(|line| line.name() == self.chosen).unwrap_or_default()
    }

    pub fn key(&mut self, key: KeyEvent) -> Wish {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        if let Some(question) = &mut self.question {
            return match question.key(key.code) {
                Some(answer) => {
                    self.question = None;
                    answer.map_or(Wish::Nothing, Wish::Do)
                }
                None => Wish::Nothing,
            };
        }
        self.said.clear();
        match key.code {
            KeyCode::Char('q') => Wish::Quit,
            KeyCode::Esc if self.detail.take().is_none() => Wish::Quit,
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::PageDown => self.choose(20),
            KeyCode::PageUp => self.choose(-20),
            KeyCode::Right | KeyCode::Char('>') => self.sort_by(self.sort.beside(true)),
            KeyCode::Left | KeyCode::Char('<') => self.sort_by(self.sort.beside(false)),
            KeyCode::Char('r') => {
                self.reversed = !self.reversed;
                self.sort_by(self.sort)
            }
            KeyCode::Char(' ') => {
                self.paused = !self.paused;
                Wish::Nothing
            }
            KeyCode::Enter => self.tenant().map_or(Wish::Nothing, Wish::Look),
            KeyCode::Char(letter) => {
                self.question = self.tenant().and_then(|tenant| Question::of(letter, tenant));
                Wish::Nothing
            }
            _ => Wish::Nothing,
        }
    }

    /// The tenant that keys are for.
    fn tenant(&self) -> Option<String> {
        match &self.detail {
            Some(detail) => Some(detail.tenant.clone()),
            None => {
                self.sample.lines.get(self.at()).map(|line| line.tenant.clone()).filter(|tenant| !tenant.is_empty())
            }
        }
    }

    fn choose(&mut self, by: isize) -> Wish {
        let last = self.sample.lines.len().saturating_sub(1);
        let at = self.at().saturating_add_signed(by).min(last);
        self.chosen = self.sample.lines.get(at).map(|line| line.name()).unwrap_or_default();
        Wish::Nothing
    }

    fn sort_by(&mut self, column: Column) -> Wish {
        self.sort = column;
        let sample = std::mem::take(&mut self.sample);
        self.show(sample);
        Wish::Nothing
    }
}
