//! Screens, compared; and what keys do to the state.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::action::{Action, Kind};
use super::column::Column;
use super::detail::Detail;
use super::draw;
use super::sample::{Line, Sample};
use super::state::{State, Wish};

fn line(tenant: &str, load: f64) -> Line {
    let series = |scale: f64| (0..60).map(|step| load * scale * f64::from(step) / 60.0).collect();
    let series = [series(1.0), series(3.0), series(40.0), series(2.0), series(200.0), series(150.0)];
    Line {
        tenant: tenant.to_owned(),
        context: "tenant".to_owned(),
        status: "active".to_owned(),
        series,
        sessions: 2.0,
        ..Line::default()
    }
}

fn state() -> State {
    let mut state = State::new(Column::Exec);
    let none = Line { tenant: String::new(), context: "none".to_owned(), ..line("", 0.5) };
    let suspended = Line { status: "suspended".to_owned(), dead: 3.0, ..line("globex", 2.0) };
    let limited =
        Line { timeout_ms: "5000".to_owned(), waiting: 1.0, refused: 17.0, ..line("a-tenant-with-a-long-name", 9.0) };
    state.show(Sample {
        clock: "2026-12-01 04:30:10".to_owned(),
        tenants: 12_345.0,
        sessions: [8.0, 3.0, 1.0],
        jobs: [4.0, 1.0, 3.0],
        lines: vec![none, suspended, line("acme", 4.0), limited],
    });
    state
}

fn press(state: &mut State, keys: &str) -> Wish {
    keys.chars()
        .map(|c| state.key(KeyEvent::from(if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) })))
        .last()
        .expect("a key")
}

/// With the screen in `drawn/`; `GOLDENS=write` writes it.
fn compare(name: &str, screen: &str) {
    let file = format!("{}/src/top/drawn/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("GOLDENS").is_ok_and(|what| what == "write") {
        std::fs::write(&file, screen).expect("written");
    }
    assert_eq!(screen, std::fs::read_to_string(&file).expect("read"), "{name}");
}

#[test]
fn of_80_columns() {
    compare("80", &draw::text(&state(), 80, 9));
}

#[test]
fn of_120_columns() {
    compare("120", &draw::text(&state(), 120, 9));
}

#[test]
fn of_one_tenant_whose_words_steer_no_terminal() {
    let mut state = state();
    let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    state.detail = Some(Detail {
        tenant: "acme".to_owned(),
        facts: vec![row(&["State", "active since 2026-12-01 04:00:00"]), row(&["Plan", "\u{1b}[31mred\u{7}"])],
        sessions: vec![row(&["4711", "app", "ann\n", "active", "00:00:09", "Lock: tuple"])],
        jobs: vec![],
        limits: vec![row(&["concurrent_transactions", "8", "3", "0", "tenant"])],
    });
    compare("tenant", &draw::text(&state, 80, 14));
}

#[test]
fn it_is_drawn_on_any_terminal() {
    for (width, height) in [(1, 1), (10, 3), (40, 5), (80, 4), (250, 60)] {
        draw::text(&state(), width, height);
    }
    draw::text(&State::new(Column::Tx), 80, 24);
}

#[test]
fn nothing_is_done_before_it_is_asked() {
    let mut state = state();
    assert_eq!(state.chosen, "a-tenant-with-a-long-name");
    press(&mut state, "j");
    assert_eq!(press(&mut state, "s"), Wish::Nothing);
    assert!(draw::text(&state, 80, 9).contains("Suspend acme? Reason (Enter does it, Esc does not): _"));
    // Without a reason nothing is done; letters are the reason's.
    assert_eq!(press(&mut state, "\n"), Wish::Nothing);
    let action =
        Action { kind: Kind::Suspend, tenant: "acme".to_owned(), value: String::new(), reason: "quits".to_owned() };
    assert_eq!(press(&mut state, "quits\n"), Wish::Do(action));
    press(&mut state, "s");
    assert_eq!(state.key(KeyEvent::from(KeyCode::Esc)), Wish::Nothing);
    assert!(state.question.is_none());
    let action =
        Action { kind: Kind::Limit, tenant: "acme".to_owned(), value: "500".to_owned(), reason: "slow".to_owned() };
    assert_eq!(press(&mut state, "l5xc00\nslow\n"), Wish::Do(action));
    let Wish::Do(shared) = press(&mut state, "lcx8\nheavy\n") else { panic!("a limit") };
    assert_eq!((shared.value.as_str(), shared.reason.as_str()), ("c8", "heavy"));
    assert_eq!(press(&mut state, "\n"), Wish::Look("acme".to_owned()));
    assert_eq!(press(&mut state, "q"), Wish::Quit);
}

#[test]
fn the_chosen_line_stays_chosen_where_it_moves() {
    let mut state = state();
    let names = |state: &State| state.sample.lines.iter().map(Line::name).collect::<Vec<_>>();
    assert_eq!(names(&state), ["a-tenant-with-a-long-name", "acme", "globex", "(none)"]);
    press(&mut state, "jr");
    assert_eq!(names(&state), ["(none)", "globex", "acme", "a-tenant-with-a-long-name"]);
    assert_eq!(state.chosen, "acme");
    for _ in 0..12 {
        press(&mut state, ">");
    }
    assert_eq!(state.sort, Column::Exec);
    // A context that is no tenant is not suspended.
    press(&mut state, "kkk");
    assert_eq!(press(&mut state, "s"), Wish::Nothing);
    assert!(state.question.is_none());
}
