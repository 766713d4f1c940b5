//! A record as conditions see it: completed while it is read, without copying it.
//!
//! A view borrows the raw body and the shape of its kind; an absent member reads as null, an empty
//! list or an empty map, exactly as `shape::complete` would write it. Maps cannot be iterated, so
//! no answer depends on the order of members.

use cel::ExecutionError;
use cel::common::traits::{Indexer, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString, MAP_TYPE, Type as CelType,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::{Map, Value};
use xiangyi_proto::kinds::{Op, Type};

use crate::shape::Shape;

/// A map of the record, or the record itself.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub shape: Option<&'static Shape>,
    pub members: Option<&'a Map<String, Value>>,
}

impl<'a> View<'a> {
    /// The view of a body; anything but an object reads as a record of which nothing was said.
    pub fn new(shape: &'static Shape, body: &'a Value) -> Self {
        let (shape, members) = (Some(shape), body.as_object());
        Self { shape, members }
    }

    fn member<'v>(&self, name: &str) -> Option<Box<dyn Val + 'v>>
    where
        'a: 'v,
    {
        let shape = self.shape.and_then(|shape| shape.member(name));
        let value = self.members.and_then(|members| members.get(name));
        (shape.is_some() || value.is_some()).then(|| one(shape, value))
    }
}

fn one<'a: 'v, 'v>(shape: Option<&'static Shape>, value: Option<&'a Value>) -> Box<dyn Val + 'v> {
    match value {
        None | Some(Value::Null) => match shape.map(|shape| shape.ty) {
            Some(Type::List(_)) => Box::new(CelList::from(Vec::new())),
            Some(Type::Map) => Box::new(View {
                shape,
                members: None,
            }),
            _ => Box::new(CelNull),
        },
        Some(Value::Bool(flag)) => Box::new(CelBool::from(*flag)),
        Some(Value::String(text)) => Box::new(CelString::from(text.as_str())),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Box::new(CelInt::from(whole)),
            (None, Some(real)) => Box::new(CelDouble::from(real)),
            (None, None) => Box::new(CelNull),
        },
        Some(Value::Array(list)) => {
            let shape = shape.and_then(|shape| shape.element.as_deref());
            let elements = list.iter().map(|value| one(shape, Some(value)));
            Box::new(CelList::from(elements.collect::<Vec<_>>()))
        }
        Some(Value::Object(members)) => {
            let members = Some(members);
            Box::new(View { shape, members })
        }
    }
}

impl<'a> Val for View<'a> {
    fn get_type(&self) -> &CelType {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static CelType {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl<'a> Indexer for View<'a> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(name)?;
        let found = self.member(name).map(CowVal::Owned);
        found.ok_or_else(|| ExecutionError::no_such_key(name))
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(name)?;
        self.member(name)
            .ok_or_else(|| ExecutionError::no_such_key(name))
    }
}

impl Sizer for View<'_> {
    fn size(&self) -> CelInt {
        let size = self.members.map_or(0, Map::len);
        CelInt::from(i64::try_from(size).unwrap_or(i64::MAX))
    }
}

fn name_of(name: &dyn Val) -> Result<&str, ExecutionError> {
    let text = name.downcast_ref::<CelString>().map(CelString::inner);
    text.ok_or_else(|| ExecutionError::no_such_key("?"))
}

/// The times a condition can read.
#[derive(Debug, Clone)]
pub struct At {
    pub estimated: i64,
    pub received: i64,
    pub ended: i64,
    pub quality: &'static str,
    /// Days of `estimated` and `received` as `YYYY-MM-DD`, UTC+8.
    pub day: String,
    pub received_day: String,
}

/// Names a condition may select from `at`.
pub const AT_NAMES: &[&str] = &[
    "estimated",
    "received",
    "ended",
    "quality",
    "day",
    "received_day",
];

impl Val for At {
    fn get_type(&self) -> &CelType {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static CelType {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Indexer for At {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(name)?;
        Ok(match name {
            "estimated" => CowVal::owned(CelInt::from(self.estimated)),
            "received" => CowVal::owned(CelInt::from(self.received)),
            "ended" => CowVal::owned(CelInt::from(self.ended)),
            "quality" => CowVal::owned(CelString::from(self.quality)),
            "day" => CowVal::owned(CelString::from(self.day.clone())),
            "received_day" => CowVal::owned(CelString::from(self.received_day.clone())),
            _ => return Err(ExecutionError::no_such_key(name)),
        })
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

/// The variables of one condition; `op`, `unit` and `at` are missing while a proof is run.
pub struct Names<'a> {
    pub record: View<'a>,
    /// The record as it was before the change that is asked about; absent for a new one.
    pub before: View<'a>,
    pub kind: &'static str,
    pub op: Option<Op>,
    pub unit: Option<&'a str>,
    pub at: Option<&'a At>,
    pub params: &'a CelMap<'static>,
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        match name {
            "record" => Some(CowVal::Borrowed(&self.record)),
            "before" => Some(CowVal::Borrowed(&self.before)),
            "kind" => Some(CowVal::owned(CelString::from(self.kind))),
            "op" => self.op.map(|op| CowVal::owned(CelString::from(op.name()))),
            "unit" => self.unit.map(|unit| CowVal::owned(CelString::from(unit))),
            "at" => self.at.map(|at| CowVal::Borrowed(at as &dyn Val)),
            "params" => Some(CowVal::Borrowed(self.params)),
            _ => None,
        }
    }
}
