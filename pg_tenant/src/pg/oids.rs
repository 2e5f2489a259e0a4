//! Catalogs and their indexes, by the names that PostgreSQL's headers give them (`catalog/pg_*.h`): the bindings have
//! some of them only. `tests/tests/house.rs` compares them with the headers.
#![allow(non_upper_case_globals)]

use pgrx::pg_sys::Oid;

// Catalogs
pub const AttrDefaultRelationId: Oid = Oid::from_u32(2604);
pub const CastRelationId: Oid = Oid::from_u32(2605);
pub const CollationRelationId: Oid = Oid::from_u32(3456);
pub const ConstraintRelationId: Oid = Oid::from_u32(2606);
pub const ConversionRelationId: Oid = Oid::from_u32(2607);
pub const DbRoleSettingRelationId: Oid = Oid::from_u32(2964);
pub const DefaultAclRelationId: Oid = Oid::from_u32(826);
pub const DependRelationId: Oid = Oid::from_u32(2608);
pub const InheritsRelationId: Oid = Oid::from_u32(2611);
pub const LargeObjectMetadataRelationId: Oid = Oid::from_u32(2995);
pub const NamespaceRelationId: Oid = Oid::from_u32(2615);
pub const OperatorClassRelationId: Oid = Oid::from_u32(2616);
pub const OperatorFamilyRelationId: Oid = Oid::from_u32(2753);
pub const OperatorRelationId: Oid = Oid::from_u32(2617);
pub const ParameterAclRelationId: Oid = Oid::from_u32(6243);
pub const PolicyRelationId: Oid = Oid::from_u32(3256);
pub const PublicationRelRelationId: Oid = Oid::from_u32(6106);
pub const RelationRelationId: Oid = Oid::from_u32(1259);
pub const RewriteRelationId: Oid = Oid::from_u32(2618);
pub const StatisticExtDataRelationId: Oid = Oid::from_u32(3429);
pub const StatisticExtRelationId: Oid = Oid::from_u32(3381);
pub const StatisticRelationId: Oid = Oid::from_u32(2619);
pub const TSConfigRelationId: Oid = Oid::from_u32(3602);
pub const TSDictionaryRelationId: Oid = Oid::from_u32(3600);
pub const TSParserRelationId: Oid = Oid::from_u32(3601);
pub const TSTemplateRelationId: Oid = Oid::from_u32(3764);
pub const TriggerRelationId: Oid = Oid::from_u32(2620);
pub const TypeRelationId: Oid = Oid::from_u32(1247);
pub const UserMappingRelationId: Oid = Oid::from_u32(1418);

// Indexes
pub const AttrDefaultIndexId: Oid = Oid::from_u32(2656);
pub const AttrDefaultOidIndexId: Oid = Oid::from_u32(2657);
pub const ClassNameNspIndexId: Oid = Oid::from_u32(2663);
pub const ClassOidIndexId: Oid = Oid::from_u32(2662);
pub const CollationOidIndexId: Oid = Oid::from_u32(3085);
pub const ConstraintOidIndexId: Oid = Oid::from_u32(2667);
pub const ConversionOidIndexId: Oid = Oid::from_u32(2670);
pub const DependDependerIndexId: Oid = Oid::from_u32(2673);
pub const DependReferenceIndexId: Oid = Oid::from_u32(2674);
pub const InheritsParentIndexId: Oid = Oid::from_u32(2187);
pub const InheritsRelidSeqnoIndexId: Oid = Oid::from_u32(2680);
pub const OpclassOidIndexId: Oid = Oid::from_u32(2687);
pub const OperatorOidIndexId: Oid = Oid::from_u32(2688);
pub const OpfamilyOidIndexId: Oid = Oid::from_u32(2755);
pub const PolicyOidIndexId: Oid = Oid::from_u32(3257);
pub const PolicyPolrelidPolnameIndexId: Oid = Oid::from_u32(3258);
pub const ProcedureOidIndexId: Oid = Oid::from_u32(2690);
pub const PublicationRelObjectIndexId: Oid = Oid::from_u32(6112);
pub const RewriteOidIndexId: Oid = Oid::from_u32(2692);
pub const RewriteRelRulenameIndexId: Oid = Oid::from_u32(2693);
pub const StatisticExtOidIndexId: Oid = Oid::from_u32(3380);
pub const TSConfigOidIndexId: Oid = Oid::from_u32(3712);
pub const TSDictionaryOidIndexId: Oid = Oid::from_u32(3605);
pub const TSParserOidIndexId: Oid = Oid::from_u32(3607);
pub const TSTemplateOidIndexId: Oid = Oid::from_u32(3767);
pub const TriggerOidIndexId: Oid = Oid::from_u32(2702);
pub const TypeNameNspIndexId: Oid = Oid::from_u32(2704);
pub const TypeOidIndexId: Oid = Oid::from_u32(2703);

/// Oids below this belong to PostgreSQL itself (`FirstNormalObjectId`).
pub const FIRST_NORMAL: u32 = 16_384;

/// Whether the object was made by somebody, and is none of PostgreSQL's own.
#[inline]
pub fn is_of_users(object: Oid) -> bool {
    object.to_u32() >= FIRST_NORMAL
}
