//! Visits to the executions of dead letters: counted before the visitor drives the execution, which may be its end.

use aws_sdk_dynamodb::types::ReturnValue;
use engine::ports::StoreError;

use super::item::{Reading, item_of, key, number};
use super::{Table, layout, seconds};
use crate::failure::store_error;

/// How long a count is kept: longer than SQS keeps a message.
const KEPT_SECONDS: i64 = 15 * 24 * 60 * 60;

impl Table {
    /// Counts a visit that begins now; the visits that have not returned, this one included.
    pub(crate) async fn begin_visit(&self, execution: &str) -> Result<u64, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item_of(key(layout::CLOCK_PARTITION, &layout::visits_sort(execution)))))
            .update_expression("SET #v = :v, #expires = :expires ADD #visits :one")
            .expression_attribute_names("#v", layout::FORMAT)
            .expression_attribute_names("#expires", layout::EXPIRES)
            .expression_attribute_names("#visits", layout::VISITS)
            .expression_attribute_values(":v", number(layout::VERSION))
            .expression_attribute_values(":expires", number(seconds(self.now()).saturating_add(KEPT_SECONDS)))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        let answer = request.send().await.map_err(|error| store_error("count a visit", error))?;
        Reading(&answer.attributes.unwrap_or_default()).number(layout::VISITS)
    }

    /// All visits have returned.
    pub(crate) async fn end_visits(&self, execution: &str) -> Result<(), StoreError> {
        let key = item_of(key(layout::CLOCK_PARTITION, &layout::visits_sort(execution)));
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(key));
        request.send().await.map_err(|error| store_error("remove a count of visits", error))?;
        Ok(())
    }
}
