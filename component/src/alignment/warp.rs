//! Dynamic time warping of tokens onto frames.

/// Lays rows along frames, and keeps what it works in, so that nothing is allocated where it had as much to do before.
#[derive(Debug, Default)]
pub struct Warp {
    /// For each frame, the best sum of a path that ends there in the row at hand.
    best: Vec<f32>,
    /// Whether the best path to a row and frame came from the row before, `[rows, frames]`.
    entered: Vec<bool>,
}

impl Warp {
    /// Makes room for so many rows and frames.
    pub fn make_room(&mut self, rows: usize, frames: usize) {
        self.best.reserve_exact(frames.saturating_sub(self.best.len()));
        self.entered.reserve_exact((rows * frames).saturating_sub(self.entered.len()));
    }

    /// Writes to `starts` the frame in which each row begins, on the path with the largest sum of `scores` `[rows, frames]`:
    /// it goes through all frames and all rows in their order, and gives each frame to one row and each row a frame at least.
    /// Of equal paths it is the one whose rows begin last. Where there are fewer frames than rows, rows share them evenly.
    ///
    /// # Panics
    /// If the scores are not in whole rows.
    pub fn path(&mut self, scores: &[f32], frames: usize, starts: &mut Vec<usize>) {
        let rows = scores.len().checked_div(frames).unwrap_or(0);
        assert_eq!(scores.len(), rows * frames, "scores in whole rows");
        starts.clear();
        if frames == 0 || rows > frames {
            starts.extend((0..rows).map(|row| row * frames / rows));
            return;
        }
        self.best.clear();
        self.best.resize(frames, f32::NEG_INFINITY);
        self.entered.clear();
        self.entered.resize(rows * frames, false);
        for (row, scores) in scores.chunks_exact(frames).enumerate() {
            // A path comes to a frame of this row from the frame before, in this row or in the row before.
            let mut row_before = if row == 0 { 0.0 } else { f32::NEG_INFINITY };
            let mut this_row = f32::NEG_INFINITY;
            let entered = &mut self.entered[row * frames..][..frames];
            for ((best, entered), score) in self.best.iter_mut().zip(entered).zip(scores) {
                *entered = row_before >= this_row;
                this_row = score + if *entered { row_before } else { this_row };
                row_before = std::mem::replace(best, this_row);
            }
        }
        starts.resize(rows, 0);
        let mut frame = frames;
        for (row, start) in starts.iter_mut().enumerate().rev() {
            let entered = &self.entered[row * frames..][..frame];
            // Every row of a path was entered somewhere.
            frame = entered.iter().rposition(|&entered| entered).unwrap_or(0);
            *start = frame;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Warp;
    use crate::kernels::testing::Noise;

    /// The best sum of scores from a row and frame on, trying every path, and where its rows begin.
    fn reference(scores: &[&[f32]], frame: usize) -> (f64, Vec<usize>) {
        let [scores, rest @ ..] = scores else { return (0.0, Vec::new()) };
        let last = if rest.is_empty() { scores.len() } else { scores.len() - rest.len() };
        let first = if rest.is_empty() { last } else { frame + 1 };
        let mut best = (f64::NEG_INFINITY, Vec::new());
        for end in first..=last {
            let (sum, starts) = reference(rest, end);
            let sum = sum + scores[frame..end].iter().map(|&score| f64::from(score)).sum::<f64>();
            if sum >= best.0 {
                best = (sum, [vec![frame], starts].concat());
            }
        }
        best
    }

    #[test]
    fn the_path_is_the_best_of_all_over_odd_shapes() {
        let mut noise = Noise::new(3);
        let (mut warp, mut starts) = (Warp::default(), Vec::new());
        for (rows, frames) in [(1, 1), (1, 9), (2, 2), (4, 4), (3, 11), (6, 9), (2, 17), (5, 13)] {
            for _ in 0..20 {
                // Quarters, so that sums are exact and equal paths occur.
                let scores: Vec<f32> = noise.take(rows * frames).iter().map(|x| (4.0 * x).round()).collect();
                warp.path(&scores, frames, &mut starts);
                let rows: Vec<&[f32]> = scores.chunks(frames).collect();
                assert_eq!(starts, reference(&rows, 0).1, "{rows:?}");
            }
        }
    }

    #[test]
    fn rows_share_frames_where_there_are_too_few() {
        let mut starts = Vec::new();
        Warp::default().path(&[1.0; 10], 2, &mut starts);
        assert_eq!(starts, [0, 0, 0, 1, 1]);
        Warp::default().path(&[], 0, &mut starts);
        assert!(starts.is_empty());
    }
}
