//! The terminal: keys come from it, screens go to it, and it is left as it was.

use std::io::IsTerminal as _;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::state::{State, Wish};
use super::{Looking, detail, draw, sample};
use crate::live::Database;

pub async fn run(database: &Database, looking: &Looking) -> Result<(), String> {
    if !std::io::stdout().is_terminal() {
        return Err("this is no terminal: --once prints one screen".to_owned());
    }
    let mut terminal = ratatui::try_init().map_err(|error| format!("the terminal cannot be used: {error}"))?;
    let result = show(database, looking, &mut terminal).await;
    ratatui::restore();
    result
}

async fn show(database: &Database, looking: &Looking, terminal: &mut ratatui::DefaultTerminal) -> Result<(), String> {
    let mut events = events();
    let mut state = State::new(looking.sort);
    let mut ticks = interval(Duration::from_secs(looking.delay));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| draw::draw(&state, frame)).map_err(|error| error.to_string())?;
        let wish = tokio::select! {
            _ = ticks.tick() => if state.paused { Wish::Nothing } else { Wish::Refresh },
            event = events.recv() => match event {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => state.key(key),
                Some(_) => Wish::Nothing,
                None => Wish::Quit,
            },
        };
        match wish {
            Wish::Nothing => {}
            Wish::Quit => return Ok(()),
            Wish::Refresh => refresh(database, &mut state).await,
            Wish::Look(tenant) => match detail::take(database, &tenant).await {
                Ok(detail) => state.detail = Some(detail),
                Err(fault) => state.said = fault.to_string(),
            },
            Wish::Do(action) => {
                let done = action.perform(database).await;
                refresh(database, &mut state).await;
                state.said = done.unwrap_or_else(|fault| fault.to_string());
            }
        }
    }
}

/// What is lost comes back: the next look tries again.
async fn refresh(database: &Database, state: &mut State) {
    match sample::take(database).await {
        Ok(sample) => state.show(sample),
        Err(fault) => state.said = fault.to_string(),
    }
    if let Some(looked) = &state.detail
        && let Ok(detail) = detail::take(database, &looked.tenant).await
    {
        state.detail = Some(detail);
    }
}

/// Keys, and changes of the window's size: read by a thread of its own, since reading waits.
fn events() -> mpsc::UnboundedReceiver<Event> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    receiver
}
