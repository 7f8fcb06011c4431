//! Holds every adapter of the service's ports to the promises in `stepwell_tests::contracts`.

use embedded::{Directory, Options};
use stepwell_tests::contracts;

/// One test per promise, each over a fresh adapter that `$fresh` makes (with what has to outlive it).
macro_rules! contracts {
    ($adapter:ident: $fresh:expr; $($promise:ident)*) => {
        mod $adapter {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> anyhow::Result<()> {
                    let (_world, adapter) = $fresh()?;
                    contracts::$promise(&adapter).await
                }
            )*
        }
    };
}

fn directory() -> anyhow::Result<(tempfile::TempDir, Directory)> {
    let home = tempfile::tempdir()?;
    let directory = Directory::open(home.path().join("data"), &Options::default())?;
    Ok((home, directory))
}

contracts! { embedded_directory: directory;
    a_record_comes_back_as_it_was_written
    an_execution_that_is_not_there_is_empty
    the_loser_of_a_race_gets_the_winners_record
    many_writers_of_one_execution_leave_no_gap_and_lose_nothing
    writers_of_different_executions_do_not_disturb_each_other
    a_tail_is_the_head_and_what_follows_the_last_full_set
    the_ends_of_one_record_are_equal
    reads_go_both_ways_from_any_place
    lists_show_the_newest_start_first
    lists_show_the_last_status_only
    open_executions_come_in_order_with_their_due_times
    a_forgotten_execution_leaves_its_name_free
    a_machine_is_written_over_the_version_it_was_made_from
    a_machine_is_removed_in_the_version_that_was_seen
    one_of_many_writers_of_a_machine_wins
    machines_come_in_the_order_of_their_arns
    a_revision_is_kept_under_its_hash
    a_start_is_pending_until_it_is_dropped
}
