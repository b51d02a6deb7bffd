//! `count`, `sort`, `min` and `max` by OPA's order, `sum` and `product` by its arithmetic.

use bigdecimal::{BigDecimal, Zero as _};
use regorus::Value as Rego;

use super::{
    super::order::compare,
    Failure, Function,
    arithmetic::{decimal, multiplied, number},
    operand::{Answer, items},
    precision::Float,
};

pub(super) const ALL: &[Function] = &[
    Function { name: "count", arity: 1, call: count },
    Function { name: "sort", arity: 1, call: sort },
    Function {
        name: "min",
        arity: 1,
        call: |arguments| Ok(ordered(arguments)?.into_iter().next().unwrap_or(Rego::Undefined)),
    },
    Function { name: "max", arity: 1, call: |arguments| Ok(ordered(arguments)?.pop().unwrap_or(Rego::Undefined)) },
    Function { name: "sum", arity: 1, call: sum },
    Function { name: "product", arity: 1, call: product },
];

/// Members; of a string, its code points.
fn count(arguments: &[Rego]) -> Answer {
    let count = match arguments.first() {
        Some(Rego::String(text)) => text.chars().count(),
        Some(Rego::Array(items)) => items.len(),
        Some(Rego::Set(items)) => items.len(),
        Some(Rego::Object(members)) => members.len(),
        _ => return Err(Failure::Type("operand 1 must be one of {array, object, set, string}".to_owned())),
    };
    Ok(Rego::from(count as u64))
}

fn ordered(arguments: &[Rego]) -> Result<Vec<Rego>, Failure> {
    let mut items = items(arguments, 0)?.into_owned();
    items.sort_by(compare);
    Ok(items)
}

fn sort(arguments: &[Rego]) -> Answer {
    ordered(arguments).map(Rego::from)
}

fn numbers(arguments: &[Rego]) -> Result<Vec<BigDecimal>, Failure> {
    let number = |item: &Rego| match item {
        Rego::Number(_) => decimal(item),
        _ => Err(Failure::Type("operand 1 must be a collection of numbers".to_owned())),
    };
    items(arguments, 0)?.iter().map(number).collect()
}

/// Of whole numbers exactly; of others by OPA's floating-point numbers, one after the other.
fn sum(arguments: &[Rego]) -> Answer {
    let numbers = numbers(arguments)?;
    if numbers.iter().all(BigDecimal::is_integer) {
        return number(&numbers.into_iter().sum());
    }
    let zero = Float::of(&BigDecimal::default());
    let sum = numbers.iter().fold(zero, |sum, number| Float::of(&(sum.exact() + Float::of(number).exact())));
    number(&sum.shown())
}

/// Of whole numbers exactly; of others with a double's precision after each step, as OPA has it here.
fn product(arguments: &[Rego]) -> Answer {
    let numbers = numbers(arguments)?;
    if numbers.iter().all(BigDecimal::is_integer) {
        let product =
            numbers.into_iter().try_fold(BigDecimal::from(1), |product, number| multiplied(&product, &number))?;
        return number(&product);
    }
    let mut product = 1.0_f64;
    for number in &numbers {
        let exact = BigDecimal::try_from(product).map_err(|_| too_large())? * Float::of(number).exact();
        product = exact.to_scientific_notation().parse().unwrap_or(f64::INFINITY);
        // OPA's numbers go further in both directions.
        if !product.is_finite() || (product.abs() < f64::MIN_POSITIVE && !exact.is_zero()) {
            return Err(too_large());
        }
    }
    // OPA shows fewer digits of it, which are another whole number.
    if product.abs() >= EXACT {
        return Err(too_large());
    }
    number(&decimal(&Rego::from(product))?)
}

/// From here on, not every whole number is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn too_large() -> Failure {
    Failure::Spent("the product is too large, or too small".to_owned())
}
