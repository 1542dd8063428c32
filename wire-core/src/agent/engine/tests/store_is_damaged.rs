use super::harness::Side;
use crate::agent::engine::Engine;
use crate::agent::error::Error;

#[test]
fn what_no_version_has_written_is_damage_and_not_a_fault_of_a_statement() {
    for damage in [
        "UPDATE agent SET seed = x'00'",
        "UPDATE agent SET statements = x'00'",
        "DELETE FROM agent",
        "ALTER TABLE agent DROP COLUMN store_key",
        "DROP TABLE agent",
    ] {
        let side = Side::new("alice");
        side.write(|b| Ok(b.tx.execute_batch(damage)?)).unwrap();
        let error = side.store().read(Engine::load).unwrap_err();
        assert_eq!(error.code(), "store_corrupt", "{damage}: {error}");
        assert!(matches!(&error, Error::Store(store) if store.hint().is_some()), "{damage}");
    }
}
