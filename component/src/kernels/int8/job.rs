//! Products of one panel: tiles, and what their sums become outputs with.

use std::ops::Range;

use super::tile::{GROUP, LANES, PANELS_SIGNED, TILE_VECTORS, tile};
use super::{Int8Matrix, Int8Rows, Output, PANEL, PANEL_VECTORS, excess};
use crate::kernels::activation::Gelu;
use crate::kernels::lanes::{F32x4, I32x4};

/// The product of one panel.
pub(super) struct Job<'a> {
    pub(super) matrix: &'a Int8Matrix,
    pub(super) panel: usize,
    pub(super) activations: &'a Int8Rows,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) output: Output,
}

impl Job<'_> {
    /// Tiles of `ROWS` rows that add up `TOGETHER`, and the rows that are left, each `ALONE`.
    pub(super) fn run<const ROWS: usize, const TOGETHER: usize, const ALONE: usize>(
        &self,
        rows: Range<usize>,
        out: &mut [f32],
    ) {
        let tiled = rows.start + (rows.end - rows.start) / ROWS * ROWS;
        for vector in (0..PANEL_VECTORS).step_by(TILE_VECTORS) {
            self.tiles::<ROWS, TILE_VECTORS, TOGETHER>(rows.start..tiled, vector, out);
        }
        self.tiles::<1, PANEL_VECTORS, ALONE>(tiled..rows.end, 0, out);
    }

    /// Rows (a multiple of `ROWS`), and some vectors of channels from `vector` on.
    #[inline(never)]
    fn tiles<const ROWS: usize, const VECTORS: usize, const TOGETHER: usize>(
        &self,
        rows: Range<usize>,
        vector: usize,
        out: &mut [f32],
    ) {
        // A token alone has no whole tile, and whole tiles may leave no row.
        if rows.is_empty() {
            return;
        }
        let Self { matrix, activations, .. } = self;
        let panel = &matrix.panel_bytes(self.panel)[vector * LANES * GROUP..];
        let channel = self.panel * PANEL + vector * LANES;
        let columns = Columns::<VECTORS>::of(matrix, self.bias, channel);
        let excess = matrix.excess(self.panel);
        let (stride, width) = (matrix.stride, matrix.rows);
        let bytes = activations.rows_of(rows.clone()).chunks_exact(ROWS * stride);
        let (zeros, _) = activations.zeros[rows.clone()].as_chunks::<ROWS>();
        let (scales, _) = activations.scales[rows.clone()].as_chunks::<ROWS>();
        let out = out[rows.start * width..rows.end * width].chunks_exact_mut(ROWS * width);
        for (((bytes, zeros), scales), out) in bytes.zip(zeros).zip(scales).zip(out) {
            let rows: [&[u8]; ROWS] = std::array::from_fn(|r| &bytes[r * stride..][..stride]);
            let mut sums: [_; ROWS] = std::array::from_fn(|r| [columns.begin(zeros[r])]);
            tile::<_, _, _, PANEL_VECTORS, TOGETHER, PANELS_SIGNED>(rows, [panel], stride, &mut sums);
            if !excess.is_empty() {
                excess::put_back(excess, rows, vector, sums.each_mut().map(|[sums]| sums));
            }
            // By reference: what is taken by value is copied by the host.
            for ((out, [sums]), &scale) in out.chunks_exact_mut(width).zip(&sums).zip(scales) {
                write(columns.finish(sums, scale), self.output, out.get_mut(channel..).unwrap_or_default());
            }
        }
    }

    /// The only row times `PANELS` panels, this one the first, that are `apart` from each other.
    #[inline(never)]
    pub(super) fn row<const PANELS: usize, const TOGETHER: usize>(&self, apart: usize, out: &mut [f32]) {
        let Self { matrix, activations, .. } = self;
        let row = activations.row(0);
        let panel = |i: usize| self.panel + i * apart;
        let panels: [&[u8]; PANELS] = std::array::from_fn(|i| matrix.panel_bytes(panel(i)));
        let columns: [_; PANELS] =
            std::array::from_fn(|i| Columns::<PANEL_VECTORS>::of(matrix, self.bias, panel(i) * PANEL));
        let mut sums = [columns.each_ref().map(|columns| columns.begin(activations.zeros[0]))];
        tile::<_, _, _, PANEL_VECTORS, TOGETHER, PANELS_SIGNED>([row], panels, matrix.stride, &mut sums);
        for (i, sums) in sums[0].iter_mut().enumerate() {
            let excess = matrix.excess(panel(i));
            if !excess.is_empty() {
                excess::put_back(excess, [row], 0, [sums]);
            }
            let values = columns[i].finish(sums, activations.scales[0]);
            write(values, self.output, out.get_mut(panel(i) * PANEL..).unwrap_or_default());
        }
    }
}

/// What the sums of some vectors of channels become outputs with.
struct Columns<const VECTORS: usize> {
    sums: [I32x4; VECTORS],
    scales: [F32x4; VECTORS],
    biases: [F32x4; VECTORS],
}

impl<const VECTORS: usize> Columns<VECTORS> {
    #[inline(always)]
    fn of(matrix: &Int8Matrix, bias: Option<&[f32]>, channel: usize) -> Self {
        let vectors = |v: usize| channel + v * LANES..channel + (v + 1) * LANES;
        Self {
            sums: std::array::from_fn(|v| I32x4::load(matrix.sums[vectors(v)].first_chunk().expect("four"))),
            scales: std::array::from_fn(|v| F32x4::load(matrix.scales[vectors(v)].first_chunk().expect("four"))),
            // Where there is none, nothing is copied to find that out.
            biases: bias.map_or([F32x4::splat(0.0); VECTORS], |bias| {
                std::array::from_fn(|v| F32x4::load_some(bias.get(vectors(v).start..).unwrap_or_default()))
            }),
        }
    }

    /// What the sums of a row of activations with this zero point begin with. Not with nothing, also because hosts are called
    /// to fill memory with zeros.
    #[inline(always)]
    fn begin(&self, zero: i32) -> [I32x4; VECTORS] {
        let zero = I32x4::splat(-zero);
        std::array::from_fn(|v| zero.mul(self.sums[v]))
    }

    /// The outputs of a row of activations with this scale.
    #[inline(always)]
    fn finish(&self, sums: &[I32x4; VECTORS], scale: f32) -> [F32x4; VECTORS] {
        let scale = F32x4::splat(scale);
        std::array::from_fn(|v| sums[v].to_f32().mul(scale.mul(self.scales[v])).add(self.biases[v]))
    }
}

/// Writes as many values as there is room for: the last channels may be padding.
#[inline(always)]
fn write<const VECTORS: usize>(values: [F32x4; VECTORS], output: Output, out: &mut [f32]) {
    let values = if output == Output::Gelu {
        // Read here, not before the loop of tiles, which would have to keep them for outputs without.
        let gelu = Gelu::read();
        values.map(|value| gelu.of(value))
    } else {
        values
    };
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    if let Some(whole) = whole.first_chunk_mut::<VECTORS>() {
        for (out, value) in whole.iter_mut().zip(values) {
            match output {
                Output::Replace | Output::Gelu => value.store(out),
                Output::Add => F32x4::load(out).add(value).store(out),
            }
        }
        return;
    }
    let there = whole.as_flattened_mut().iter_mut().chain(rest);
    for (out, value) in there.zip(values.iter().flat_map(|value| value.to_array())) {
        *out = if output == Output::Add { *out + value } else { value };
    }
}
