//! SNS: `publish`, with a message that may be anything: what is no text is sent as its JSON.

use super::{Access, Action, Service, with_text};

pub(crate) const SERVICE: Service = Service {
    subject: Some("TopicArn"),
    access: Access::Free,
    arguments: |_, arguments, _| with_text(arguments, "Message"),
    ..Service::plain("sns", ("sns", "AmazonSNS", "AmazonSNSException"), &[Action::of("publish")])
};
