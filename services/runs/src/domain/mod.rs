//! Pure decisions: no async, no SQL, no wire, no clock.
mod fair;
mod lane;
mod run;
mod sentence;
mod slots;

pub use fair::{FairQueue, Found};
pub use lane::{Lane, Place, PoolId};
pub use run::{NewRun, Outcome, Run};
pub use sentence::{finished_sentence, ordinary_state};
pub use slots::{FreeSlots, Room};
