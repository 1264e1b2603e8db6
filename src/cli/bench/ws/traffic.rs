//! What is sent on the connections of a run, and which connections receive it.

use super::echo::Echo;
use super::fanout::Fanout;
use super::masks::Masks;
use super::plan::{Message, Plan};
use super::recorder::Recorder;
use super::results::Results;
use super::resume::Resume;
use crate::cli::bench::summary::Schedule;
use crate::ws::session::{Kind, Payload};

/// The messages of a mode.
pub enum Traffic {
    /// None: idle, storm.
    Silence,
    /// None are sent: a storm whose members resume.
    Resume(Resume),
    Echo(Echo),
    Room(Box<Fanout>),
}

/// What a message was to the connection that it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that counts.
    Nothing,
    /// Another member's.
    Other,
    /// Its own, which has come back.
    Own,
    /// The welcome of a member that was cut.
    Back,
}

impl Traffic {
    /// That of a plan. `run` is a random number.
    pub fn new(plan: &Plan, run: u64) -> Traffic {
        match &plan.message {
            Message::None if plan.resumes() => Traffic::Resume(Resume::new(plan.all())),
            Message::None => Traffic::Silence,
            Message::Echo(message) => Traffic::Echo(Echo::new(plan.all(), plan.in_flight, message.clone())),
            Message::Speech(speech) => Traffic::Room(Box::new(Fanout::new(speech.clone(), run))),
        }
    }

    /// The connections in these slots take part from now on. Gives the slots that speak at once, once for each message.
    pub fn begin(&mut self, slots: &[usize], senders: usize, now: u64) -> Vec<usize> {
        match self {
            Traffic::Silence | Traffic::Resume(_) => vec![],
            Traffic::Echo(echo) => slots.iter().flat_map(|&slot| vec![slot; echo.in_flight()]).collect(),
            Traffic::Room(room) => {
                room.begin(slots, senders, now);
                let speak_at_once = if room.pace().is_some() { 0 } else { room.senders() };
                (0..speak_at_once).map(|sender| room.slot_of(sender)).collect()
            }
        }
    }

    /// Appends the next message of a slot that speaks. Times are µs since the load began.
    pub fn say(&mut self, slot: usize, now: u64, masks: &mut Masks, out: &mut Vec<u8>) {
        match self {
            Traffic::Silence | Traffic::Resume(_) => {}
            Traffic::Echo(echo) => echo.say(slot, now, masks, out),
            Traffic::Room(room) => {
                if let Some(sender) = room.sender_in(slot) {
                    room.say(sender, now, now, masks, out);
                }
            }
        }
    }

    /// Appends the message that is due now by a schedule; gives the slot that says it.
    pub fn say_due(
        &mut self,
        now: u64,
        masks: &mut Masks,
        out: &mut Vec<u8>,
        has_room: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let Traffic::Room(room) = self else { return None };
        let (sender, due) = room.due_now(now, has_room)?;
        room.say(sender, due, now, masks, out);
        Some(room.slot_of(sender))
    }

    /// Whether a message that has come back calls for the next one.
    pub fn is_closed_loop(&self) -> bool {
        match self {
            Traffic::Silence | Traffic::Resume(_) => false,
            Traffic::Echo(_) => true,
            Traffic::Room(room) => room.pace().is_none(),
        }
    }

    /// When the next message is due by a schedule.
    pub fn due(&self) -> Option<u64> {
        match self {
            Traffic::Silence | Traffic::Resume(_) | Traffic::Echo(_) => None,
            Traffic::Room(room) => room.pace()?.wakes_at(),
        }
    }

    /// A message has come to a slot.
    pub fn hear(&mut self, slot: usize, kind: Kind, payload: &Payload, now: u64, recorder: &mut Recorder) -> Heard {
        match self {
            Traffic::Silence => Heard::Nothing,
            Traffic::Resume(resume) => match payload.contiguous() {
                Some(text) => resume.hear(slot, text, now, recorder),
                None => resume.hear(slot, &payload.to_vec(), now, recorder),
            },
            Traffic::Echo(echo) => echo.hear(slot, kind, payload, now, recorder),
            Traffic::Room(room) => match payload.contiguous() {
                Some(text) => room.hear(slot, text, now, recorder),
                None => room.hear(slot, &payload.to_vec(), now, recorder),
            },
        }
    }

    /// Where the member in a slot was when it was cut.
    pub fn position(&self, slot: usize) -> Option<&str> {
        match self {
            Traffic::Resume(resume) => resume.position(slot),
            Traffic::Silence | Traffic::Echo(_) | Traffic::Room(_) => None,
        }
    }

    /// The connection in a slot, which takes part, has opened. Returns whether a welcome is to come on it.
    pub fn opened(&mut self, slot: usize) -> bool {
        let Traffic::Resume(resume) = self else { return false };
        resume.opened(slot);
        true
    }

    /// Whether a welcome is to come to a slot.
    pub fn is_waiting(&self, slot: usize) -> bool {
        matches!(self, Traffic::Resume(resume) if resume.is_waiting(slot))
    }

    /// The storm begins: the connections of all members are cut.
    pub fn cut(&mut self, now: u64) {
        if let Traffic::Resume(resume) = self {
            resume.cut(now);
        }
    }

    /// The connection in a slot has ended.
    pub fn gone(&mut self, slot: usize) {
        match self {
            Traffic::Silence => {}
            Traffic::Resume(resume) => resume.gone(slot),
            Traffic::Echo(echo) => echo.gone(slot),
            Traffic::Room(room) => room.gone(slot),
        }
    }

    /// Whether all that was said has come to those that are there, and no welcome is to come.
    pub fn is_settled(&self) -> bool {
        match self {
            Traffic::Silence => true,
            Traffic::Resume(resume) => resume.waiting() == 0,
            Traffic::Echo(echo) => echo.counts().under_way == 0,
            Traffic::Room(room) => room.is_settled(),
        }
    }

    /// The measured time begins: times of a schedule are forgotten.
    pub fn forget_warmup(&mut self) {
        if let Traffic::Room(room) = self
            && let Some(pace) = room.pace_mut()
        {
            pace.forget();
        }
    }

    /// Nothing more is said.
    pub fn stop(&mut self, now: u64) {
        if let Traffic::Room(room) = self
            && let Some(pace) = room.pace_mut()
        {
            pace.end(now);
        }
    }

    /// Notes what has become of the messages.
    pub fn note_results(&self, now: u64, results: &mut Results) {
        match self {
            Traffic::Silence => {}
            Traffic::Resume(resume) => results.resume = Some(resume.counts()),
            Traffic::Echo(echo) => results.echo = Some(echo.counts()),
            Traffic::Room(room) => {
                let shown = room.results(now);
                results.schedule = room.pace().map(|pace| Schedule {
                    rate: pace.rate(),
                    uncorrected: pace.uncorrected().clone(),
                    late: pace.late().clone(),
                    never_sent: pace.never_sent(),
                    open: shown.open.clone(),
                });
                results.room = Some(shown);
            }
        }
    }
}
