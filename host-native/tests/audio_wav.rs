//! WAV files as they should be, in all their variety.

mod audio_support;

use auricle::audio::{AudioReader, SAMPLE_RATE_HZ, read_all};

use audio_support::{Wav, chunk, drain, file_of, testdata};

#[test]
fn mono_16_bit_at_16_khz_passes_through_bit_for_bit() {
    let values: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let expected: Vec<f32> = values.iter().map(|&value| f32::from(value) / 32_768.0).collect();
    assert!(Wav::of_i16(&values).samples() == expected);
}

#[test]
fn every_integer_width_is_scaled_to_full_scale_one() {
    let eight = Wav { bits: 8, data: vec![0, 64, 128, 192, 255], ..Wav::default() };
    assert_eq!(eight.samples(), [-1.0, -0.5, 0.0, 0.5, 127.0 / 128.0]);

    let data = [-8_388_608_i32, -1, 0, 4_194_304].iter().flat_map(|v| v.to_le_bytes()[..3].to_vec()).collect();
    let twenty_four = Wav { bits: 24, data, ..Wav::default() };
    assert_eq!(twenty_four.samples(), [-1.0, -1.0 / 8_388_608.0, 0.0, 0.5]);

    let data = [i32::MIN, 1 << 30, 128].iter().flat_map(|v| v.to_le_bytes()).collect();
    let thirty_two = Wav { bits: 32, data, ..Wav::default() };
    assert_eq!(thirty_two.samples(), [-1.0, 0.5, 128.0 / 2_147_483_648.0]);
}

#[test]
fn odd_widths_stand_in_the_upper_bits() {
    // 12 bits in 2 bytes, and 20 valid bits in 3 bytes by an extensible header.
    let twelve = Wav { bits: 12, data: vec![0x00, 0x40], ..Wav::default() };
    assert_eq!(twelve.samples(), [0.5]);
    let twenty = Wav { bits: 24, extensible: Some((20, 0, 1)), data: vec![0, 0, 0xC0], ..Wav::default() };
    assert_eq!(twenty.samples(), [-0.5]);
}

#[test]
fn twenty_four_bits_in_four_bytes_are_read() {
    let wav = Wav { bits: 24, block_align: Some(4), data: vec![0, 0, 0x40, 0, 0, 0, 0xC0, 0xFF], ..Wav::default() };
    assert_eq!(wav.samples(), [0.5, -0.5]);
}

#[test]
fn floating_point_of_both_widths_passes_through() {
    let values = [0.0, -0.0, 1.0, -1.0, 0.1, 1.5, -32_768.0, f32::MIN_POSITIVE, 1e-45];
    assert_eq!(Wav::of_f32(&values).samples(), values);
    let data = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
    let wide = Wav { tag: 3, bits: 64, data, ..Wav::default() };
    assert_eq!(wide.samples(), values);
}

#[test]
fn an_extensible_header_tells_integers_from_floating_point() {
    let data: Vec<u8> = 0.25_f32.to_le_bytes().to_vec();
    let float = Wav { bits: 32, extensible: Some((32, 0, 3)), data: data.clone(), ..Wav::default() };
    assert_eq!(float.samples(), [0.25]);
    let integer = Wav { bits: 32, extensible: Some((32, 0, 1)), data, ..Wav::default() };
    assert_eq!(integer.samples(), [0x3E80_0000 as f32 / 2_147_483_648.0]);
}

#[test]
fn channels_are_averaged() {
    let wav = Wav { channels: 2, ..Wav::of_i16(&[16_384, 0, -32_768, -32_768, 8_192, -8_192]) };
    assert_eq!(wav.samples(), [0.25, -1.0, 0.0]);
}

#[test]
fn a_low_frequency_channel_that_the_mask_names_is_left_out() {
    // Front left, front right, front centre, low frequency: bits 0 to 3.
    let wav = Wav { channels: 4, ..Wav::of_i16(&[8_192, 8_192, 8_192, 32_767]) };
    assert_eq!(Wav { extensible: Some((16, 0b1111, 1)), ..wav.clone() }.samples(), [0.25]);
    // Without a mask the fourth channel is a voice like any other.
    assert_ne!(wav.samples(), [0.25]);
}

#[test]
fn a_wav_with_65_535_channels_is_read() {
    let wav = Wav { channels: u16::MAX, bits: 8, data: vec![192; usize::from(u16::MAX) * 3], ..Wav::default() };
    assert_eq!(wav.samples(), [0.5; 3]);
}

#[test]
fn other_chunks_are_skipped_with_their_padding() {
    let mut before_data = chunk(b"LIST", b"odd");
    before_data.extend(chunk(b"fact", &1_u32.to_le_bytes()));
    let wav = Wav { before_data, after_data: chunk(b"id3 ", b"junk"), ..Wav::of_i16(&[16_384]) };
    assert_eq!(wav.samples(), [0.5]);
}

#[test]
fn an_rf64_file_takes_its_length_from_ds64() {
    let data: Vec<u8> = [16_384_i16, -16_384].iter().flat_map(|v| v.to_le_bytes()).collect();
    // `ds64` comes first in real files; the reader takes it wherever it stands before `data`.
    let mut sizes = 1_000_u64.to_le_bytes().to_vec();
    sizes.extend((data.len() as u64).to_le_bytes());
    sizes.extend([0; 12]);
    let wav = Wav {
        magic: *b"RF64",
        riff_len: Some(u32::MAX),
        data_len: Some(u32::MAX),
        before_data: chunk(b"ds64", &sizes),
        data,
        after_data: chunk(b"LIST", b"not audio"),
        ..Wav::default()
    };
    assert_eq!(wav.samples(), [0.5, -0.5]);
}

#[test]
fn every_rate_gives_the_length_that_it_lasts() {
    for rate_hz in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000] {
        let frames = rate_hz as usize / 2 + 7;
        let wav = Wav { rate_hz, channels: 2, ..Wav::of_i16(&vec![1_000; frames * 2]) };
        let expected = (frames as f64 * 16_000.0 / f64::from(rate_hz)).round() as usize;
        assert_eq!(wav.samples().len(), expected, "{rate_hz} Hz");
    }
}

#[test]
fn zero_samples_are_no_blocks_and_no_error() {
    for rate_hz in [16_000, 44_100] {
        assert!(Wav { rate_hz, ..Wav::default() }.samples().is_empty());
        let with_trailer = Wav { rate_hz, after_data: chunk(b"LIST", b"INFO"), ..Wav::default() };
        assert!(with_trailer.samples().is_empty());
    }
}

#[test]
fn one_sample_and_ten_milliseconds_are_read() {
    assert_eq!(Wav::of_i16(&[-16_384]).samples(), [-0.5]);
    assert_eq!(Wav { rate_hz: 44_100, ..Wav::of_i16(&[100; 441]) }.samples().len(), 160);
    assert_eq!(Wav { rate_hz: 8_000, ..Wav::of_i16(&[100]) }.samples().len(), 2);
    // A single sample at 48 kHz lasts a third of one at 16 kHz, which rounds to none.
    assert!(Wav { rate_hz: 48_000, ..Wav::of_i16(&[100]) }.samples().is_empty());
}

#[test]
fn info_tells_what_the_header_says() {
    let file = file_of(&Wav { rate_hz: 8_000, channels: 2, ..Wav::of_i16(&[0; 8_000]) }.bytes());
    let info = AudioReader::open(file.path()).unwrap().info();
    assert_eq!((info.format.as_str(), info.sample_rate_hz, info.channels), ("16-bit WAV", 8_000, 2));
    assert_eq!(info.duration_s, Some(0.5));
}

#[test]
fn the_recording_in_testdata_is_as_long_as_its_readme_says() {
    let (samples, warnings) = read_all(testdata("jfk.wav")).unwrap();
    assert_eq!(samples.len(), 11 * SAMPLE_RATE_HZ as usize);
    assert_eq!(warnings, []);
}

/// An endless WAV stream, as a microphone would be.
struct Endless {
    head: std::io::Cursor<Vec<u8>>,
}

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.head.read(buffer)? {
            0 => {
                buffer.fill(1);
                Ok(buffer.len())
            }
            count => Ok(count),
        }
    }
}

#[test]
fn an_endless_stream_comes_in_bounded_blocks() {
    for (rate_hz, channels) in [(16_000, 1), (44_100, 2), (1_000, 1), (384_000, 8)] {
        let wav = Wav { rate_hz, channels, data_len: Some(u32::MAX), riff_len: Some(u32::MAX), ..Wav::default() };
        let endless = Endless { head: std::io::Cursor::new(wav.bytes()) };
        let mut reader = AudioReader::from_reader(Box::new(endless), Some("microphone")).unwrap();
        assert_eq!(reader.info().duration_s, None);
        for _ in 0..50 {
            let block = reader.next_block().unwrap().expect("it has no end");
            assert!(block.len() <= 60 * SAMPLE_RATE_HZ as usize, "{} samples in one block", block.len());
        }
    }
}

#[test]
fn a_reader_that_gives_a_byte_at_a_time_gives_the_same() {
    struct Trickle(std::io::Cursor<Vec<u8>>);
    impl std::io::Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = buffer.len().min(1);
            self.0.read(&mut buffer[..len])
        }
    }
    let wav = Wav { rate_hz: 22_050, channels: 2, ..Wav::of_i16(&(0..30_000).collect::<Vec<i16>>()) };
    let trickle = Trickle(std::io::Cursor::new(wav.bytes()));
    let (samples, warnings) = drain(AudioReader::from_reader(Box::new(trickle), None).unwrap()).unwrap();
    assert_eq!((samples, warnings), (wav.samples(), vec![]));
}
