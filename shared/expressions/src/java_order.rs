//! The order in which Java's `HashMap` has its keys, which AWS shows where it makes objects.

/// Entries in the order of a `HashMap` that they were put into one after the other.
///
/// The table has 16 places, and twice as many whenever it is filled to more than three quarters; keys of one place stay
/// in the order they came.
pub fn hash_ordered<T>(mut entries: Vec<T>, key: impl Fn(&T) -> &str) -> Vec<T> {
    let mut places = 16usize;
    while entries.len() > places / 4 * 3 {
        places *= 2;
    }
    entries.sort_by_key(|entry| place(key(entry), places));
    entries
}

fn place(key: &str, places: usize) -> usize {
    let hash = key.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) as usize & (places - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_java_puts_them() {
        // `String.hashCode` of these: 97, 98, 3105 ("aB" is 3073), 1 and 2 characters being enough to tell places.
        let ordered = |names: &[&'static str]| hash_ordered(names.to_vec(), |name| name);
        assert_eq!(ordered(&["b", "a", "q", "p"]), ["p", "a", "q", "b"]);
        // "Aa" and "BB" have the same hash.
        assert_eq!(ordered(&["BB", "Aa"]), ["BB", "Aa"]);
        // Thirteen names need 32 places, in which `a` (97) is at 1 and `q` (113) at 17.
        let many = ["q", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        assert_eq!(ordered(&many).first(), Some(&"a"));
        assert_eq!(ordered(&many).last(), Some(&"q"));
    }
}
