//! The declaration of history events: from one line an event's stored shape, its payloads and its wire shape.
//!
//! A line is a variant as Rust and serde read it, each field followed by `=>` and its kind: a function of
//! [`super::members`], which says what the field is in AWS's JSON. Kinds of payloads are listed in `mapped!` and `visited!`
//! as well; one that is missing there does not compile.

/// A field with its payloads, if it has any, held another way.
macro_rules! mapped {
    (input, $field:ident, $f:ident) => {
        $f($field)?
    };
    (output, $field:ident, $f:ident) => {
        $f($field)?
    };
    (parameters, $field:ident, $f:ident) => {
        $f($field)?
    };
    (assigned, $field:ident, $f:ident) => {
        $field.map(&mut *$f).transpose()?
    };
    ($other:ident, $field:ident, $f:ident) => {
        $field
    };
}

/// Visits a field's payload, if it has one.
macro_rules! visited {
    (input, $field:ident, $visit:ident) => {
        $visit($field)
    };
    (output, $field:ident, $visit:ident) => {
        $visit($field)
    };
    (parameters, $field:ident, $visit:ident) => {
        $visit($field)
    };
    (assigned, $field:ident, $visit:ident) => {
        if let Some(payload) = $field {
            $visit(payload)
        }
    };
    ($other:ident, $field:ident, $visit:ident) => {
        _ = $field
    };
}

/// The enum `Detail` of all events, and its `try_map`, `for_each_payload` and `wire`.
macro_rules! details {
    ($(
        $(#[$doc:meta])*
        $event:ident
            $({ $($field:ident: $type:ty => $kind:ident $(($member:literal))?),+ $(,)? })?
            $(($only:ident: $inner:ty => $inner_kind:ident))?
    ),+ $(,)?) => {
        /// The type of an event and its data.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Detail<P> {
            $($(#[$doc])* $event $({ $($field: $type),+ })? $(($inner))?),+
        }

        impl<P> Detail<P> {
            fn try_map<Q, E>(self, f: &mut dyn FnMut(P) -> Result<Q, E>) -> Result<Detail<Q>, E> {
                Ok(match self {
                    $(Detail::$event $({ $($field),+ })? $(($only))? => {
                        Detail::$event
                            $({ $($field: $crate::event::declaration::mapped!($kind, $field, f)),+ })?
                            $(($crate::event::declaration::mapped!($inner_kind, $only, f)))?
                    })+
                })
            }

            /// Shows `visit` its payloads, in the order of its fields.
            pub fn for_each_payload(&self, visit: &mut dyn FnMut(&P)) {
                match self {
                    $(Detail::$event $({ $($field),+ })? $(($only))? => {
                        $($($crate::event::declaration::visited!($kind, $field, visit);)+)?
                        $($crate::event::declaration::visited!($inner_kind, $only, visit);)?
                    })+
                }
            }

            /// The event in AWS's JSON.
            pub fn wire(&self) -> Wire<'_, P> {
                match self {
                    $(Detail::$event $({ $($field),+ })? $(($only))? => {
                        let wire = Wire::named(stringify!($event));
                        $($(let wire = wire.$kind($($member,)? $field);)+)?
                        $(let wire = wire.$inner_kind($only);)?
                        wire
                    })+
                }
            }
        }
    };
}

pub(super) use {details, mapped, visited};
