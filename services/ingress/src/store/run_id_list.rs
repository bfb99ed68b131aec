//! Lists of runs as elements of a column: `unnest` would take an array of arrays apart altogether.
use ck8s_types::RunId;

/// Returns the ids of runs as text, for `string_to_array(…, ',')::uuid[]`; none: there are no runs.
pub(super) fn run_id_list(runs: impl Iterator<Item = RunId>) -> Option<String> {
    let texts: Vec<String> = runs.map(|run| run.to_string()).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}
