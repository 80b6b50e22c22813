//! The bounds that no manifest moves: constants of the runtime. Each has a guest that meets it, and does less to complete.

use model::{Mode, Outcome};

use super::table::{Ends, Guest, Row, row};

/// A bound of the runtime.
pub(crate) struct Bound {
    /// Where it is: the file of `host/runtime/src` without its ending, and the constant's name.
    pub(crate) constant: &'static str,
    /// In a row of the table, or, where it is no end of a run, what the test is called that holds it.
    pub(crate) name: &'static str,
    /// What it is, in its unit.
    pub(crate) value: u64,
}

const fn bound(constant: &'static str, name: &'static str, value: u64) -> Bound {
    Bound { constant, name, value }
}

/// Every constant of the runtime that bounds something: `limits.rs` compares this with the source.
pub(crate) const BOUNDS: &[Bound] = &[
    bound("state::WASI_RESOURCES_MAX", "wasi-resources", 1_024),
    bound("wasi::RANDOM_BYTES_MAX", "random-bytes", 64 << 10),
    bound("run_interface::CHECKPOINT_BYTES_MAX", "checkpoint-bytes", 64 << 10),
    bound("run_interface::CHECKPOINTS_MAX", "checkpoints", 1_000),
    bound("execute::FINGERPRINT_BYTES_MAX", "a_fingerprint_keeps_its_limits", 255),
    bound("run_interface::LINE_BYTES_MAX", "line-bytes", 8 << 10),
    bound("wasi::LINE_BYTES_MAX", "printed-line-bytes", 8 << 10),
    bound("run_interface::PROGRESS_PER_SECOND_MAX", "progress-per-second", 10),
    bound("journal::ENTRIES_MAX", "what_is_journalled_does_not_pile_up_in_memory", 4_096),
    bound("journal::BYTES_MAX", "what_is_journalled_does_not_pile_up_in_memory", 4 << 20),
    bound("engine::INSTANCES_MAX", "more_guests_than_there_are_places_wait", 64),
    bound("engine::MEMORIES_MAX", "guests_with_many_memories_take_none_from_each_other", 128),
    bound("engine::TABLES_MAX", "guests_with_many_memories_take_none_from_each_other", 256),
    bound("engine::COMPONENT_MEMORIES_MAX", "a_component_of_too_many_parts_is_refused", 32),
    bound("engine::COMPONENT_TABLES_MAX", "a_component_of_too_many_parts_is_refused", 64),
    bound("engine::COMPONENT_INSTANCES_MAX", "a_component_of_too_many_parts_is_refused", 64),
    bound("engine::MEMORY_BYTES_MAX", "a_memory_grows_to_the_ceiling_and_no_further", 512 << 20),
    bound("compile::COMPILE_SECONDS_MAX", "a_huge_module_is_compiled_by_a_child_that_has_limits", 120),
    bound("compile::COMPILE_MEMORY_BYTES_MAX", "a_huge_module_is_compiled_by_a_child_that_has_limits", 2 << 30),
    bound("schema::TIME_MAX", "a_schema_that_takes_for_ever_is_refused", 10),
    bound("undo::STEP_TIME_MAX", "taking_back_is_bounded_in_time", 120),
    bound("execute::SUSPENDED_MS_MAX", "a_run_that_waited_too_long_for_its_reboot_is_over", 72 * 60 * 60 * 1_000),
    bound("execute::CANCEL_GRACE_MAX", "a_cancelled_guest_that_goes_on_is_ended", 1),
];

/// Those that a run ends at, or goes on with less.
pub(super) fn rows() -> Vec<Row> {
    let looks = |limit, act, amount, ends| row(limit, Guest::Act(act, Mode::Detect), amount, ends);
    let acts = |limit, act, amount, ends| row(limit, Guest::Act(act, Mode::Enforce), amount, ends);
    let over = |name| Ends::With(Outcome::Limit, name);
    vec![
        // Each pollable is two resources: itself, and what it waits for.
        looks("wasi-resources", "hold-pollables", 600, over("wasi-resources")).less(500),
        looks("random-bytes", "random", (64 << 10) + 1, over("random-bytes")).less(64 << 10),
        acts("checkpoint-bytes", "checkpoint", (64 << 10) + 1, over("checkpoint-bytes")).less(64 << 10),
        acts("checkpoints", "checkpoints", 1_001, over("checkpoints")).less(1_000),
        looks("line-bytes", "log-wide", (8 << 10) + 1, Ends::LineCut).less(8 << 10),
        looks("printed-line-bytes", "print-wide", (8 << 10) + 1, Ends::LineBroken).less((8 << 10) - 1),
        looks("progress-per-second", "progress", 500, Ends::Untold).less(10),
    ]
}
