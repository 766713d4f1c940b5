//! Learning: support vector machines with squared hinge loss, by dual coordinate descent, several
//! at once that share part of their weights.
//!
//! Each group has weights of its own and shares others with its family, so that what speaks for
//! "somebody else did it" is learned once for all groups (Daumé, "Frustratingly easy domain
//! adaptation", 2007; Hsieh et al., "A dual coordinate descent method", 2008). The order of
//! examples is drawn from a fixed seed: the same notes give the same weights.

/// Rounds over the examples; more change nothing that is seen in the figures.
const ROUNDS: usize = 12;
/// A round in which nothing moved further than this is the last.
const STILL: f64 = 0.01;

/// What examples look like.
pub struct Matrix {
    /// The features of each note.
    pub rows: Vec<Vec<u32>>,
    /// The value of each feature.
    pub values: Vec<f32>,
    /// What each note's values are multiplied by.
    pub scales: Vec<f64>,
}

/// A note as an example for a group.
pub struct Example {
    pub note: usize,
    pub group: usize,
    pub hit: bool,
    pub weight: f64,
}

/// How strongly to learn.
#[derive(Clone, Copy)]
pub struct Strength {
    /// The price of an example on the wrong side.
    pub cost: f64,
    /// The part of the weights that a family shares.
    pub shared: f64,
}

/// Weights of each group, with its threshold.
pub struct Learned {
    pub weights: Vec<Vec<f32>>,
    pub bias: Vec<f64>,
}

struct Part {
    weights: Vec<Vec<f32>>,
    bias: Vec<f64>,
}

impl Part {
    fn new(count: usize, features: usize) -> Self {
        Self {
            weights: vec![vec![0.0; features]; count],
            bias: vec![0.0; count],
        }
    }
}

/// Learns from examples; `families` says to which family each group belongs.
pub fn learn(
    matrix: &Matrix,
    examples: &[Example],
    families: &[usize],
    strength: Strength,
) -> Learned {
    let features = matrix.values.len();
    let mut own = Part::new(families.len(), features);
    let count = families.iter().max().map_or(0, |last| last + 1);
    let mut shared = Part::new(count, features);
    let squares: Vec<f64> = matrix.rows.iter().map(|row| square(matrix, row)).collect();
    let mut alphas = vec![0.0_f64; examples.len()];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut seed = 88_172_645_463_325_252_u64;
    for _ in 0..ROUNDS {
        shuffle(&mut order, &mut seed);
        let mut moved = 0.0_f64;
        for &index in &order {
            let example = &examples[index];
            let family = families[example.group];
            let row = &matrix.rows[example.note];
            let scale = matrix.scales[example.note];
            let sum = |part: &Part, at: usize| {
                let weights = &part.weights[at];
                let terms = row.iter().map(|feature| {
                    let feature = *feature as usize;
                    f64::from(matrix.values[feature]) * f64::from(weights[feature])
                });
                terms.sum::<f64>() * scale + part.bias[at]
            };
            let said = sum(&own, example.group) + strength.shared * sum(&shared, family);
            let sign = if example.hit { 1.0 } else { -1.0 };
            let slack = 1.0 / (2.0 * example.weight * strength.cost);
            let gradient = sign * said - 1.0 + slack * alphas[index];
            let wanted = if alphas[index] == 0.0 {
                gradient.min(0.0)
            } else {
                gradient
            };
            if wanted.abs() <= 1e-9 {
                continue;
            }
            moved = moved.max(wanted.abs());
            let curve = (squares[example.note] * scale * scale + 1.0) * (1.0 + strength.shared);
            let before = alphas[index];
            alphas[index] = (before - gradient / (curve + slack)).max(0.0);
            let step = (alphas[index] - before) * sign;
            for (part, at) in [(&mut own, example.group), (&mut shared, family)] {
                let weights = &mut part.weights[at];
                for feature in row {
                    let feature = *feature as usize;
                    weights[feature] += (step * scale) as f32 * matrix.values[feature];
                }
                part.bias[at] += step;
            }
        }
        if moved < STILL {
            break;
        }
    }
    together(own, &shared, families, strength.shared)
}

fn square(matrix: &Matrix, row: &[u32]) -> f64 {
    let values = row
        .iter()
        .map(|feature| f64::from(matrix.values[*feature as usize]));
    values.map(|value| value * value).sum()
}

/// Own weights and the family's in one sum, as they are used.
fn together(own: Part, shared: &Part, families: &[usize], part: f64) -> Learned {
    let mut learned = Learned {
        weights: own.weights,
        bias: own.bias,
    };
    for (group, family) in families.iter().enumerate() {
        let theirs = &shared.weights[*family];
        for (weight, more) in learned.weights[group].iter_mut().zip(theirs) {
            *weight += part as f32 * more;
        }
        learned.bias[group] += part * shared.bias[*family];
    }
    learned
}

fn shuffle(order: &mut [usize], seed: &mut u64) {
    for at in (1..order.len()).rev() {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        order.swap(at, (*seed % (at as u64 + 1)) as usize);
    }
}
