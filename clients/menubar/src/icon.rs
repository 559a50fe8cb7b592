//! The pictures, drawn by formula: a disc whose colour and sign both say how the daemon is, so
//! that nobody has to tell colours apart. They can be seen on light and on dark panels.

use std::sync::OnceLock;

use convergio_contract::menu::MenuIcon;

/// Sides in pixels: panels take the one that fits best.
pub(crate) const SIDES: [u16; 4] = [16, 22, 32, 48];
/// Samples of a pixel along each side.
const SAMPLES: u16 = 4;

/// A picture, rows from the top, four bytes a pixel: red, green, blue, opacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    /// Width and height.
    pub(crate) side: u16,
    /// `4 * side * side` bytes.
    pub(crate) rgba: Vec<u8>,
}

/// One state in each of [`SIDES`].
pub(crate) fn pixels(icon: MenuIcon) -> &'static [Pixels] {
    static DRAWN: [OnceLock<Vec<Pixels>>; 5] = [const { OnceLock::new() }; 5];
    let place = match icon {
        MenuIcon::Idle => 0,
        MenuIcon::Busy => 1,
        MenuIcon::Attention => 2,
        MenuIcon::Trouble => 3,
        MenuIcon::Offline => 4,
    };
    DRAWN[place].get_or_init(|| SIDES.iter().map(|&side| draw(icon, side)).collect())
}

fn colour(icon: MenuIcon) -> [u8; 3] {
    match icon {
        MenuIcon::Idle => [0x1f, 0x8a, 0x70],
        MenuIcon::Busy => [0x1c, 0x71, 0xd8],
        MenuIcon::Attention => [0xd9, 0x82, 0x00],
        MenuIcon::Trouble => [0xc0, 0x1c, 0x28],
        MenuIcon::Offline => [0x77, 0x76, 0x7b],
    }
}

/// Whether the white sign covers a point; the disc is that of radius 1 around the origin, and
/// `y` grows downwards.
fn is_sign(icon: MenuIcon, x: f32, y: f32) -> bool {
    let from_middle = x.hypot(y);
    // A `C`, open to the right.
    let arc = (0.42..=0.68).contains(&from_middle) && !(x > 0.0 && y.abs() < x * 0.9);
    let dot = |middle_x: f32, radius: f32| (x - middle_x).hypot(y) <= radius;
    match icon {
        MenuIcon::Idle => arc,
        // Something is in it.
        MenuIcon::Busy => arc || dot(0.0, 0.2),
        // Something comes out of it.
        MenuIcon::Attention => arc || dot(0.56, 0.24),
        MenuIcon::Trouble => {
            let bar = x.abs() <= 0.15 && (-0.68..=0.18).contains(&y);
            bar || x.hypot(y - 0.52) <= 0.18
        }
        // Crossed out.
        MenuIcon::Offline => arc || ((x - y).abs() <= 0.16 && from_middle <= 0.8),
    }
}

fn draw(icon: MenuIcon, side: u16) -> Pixels {
    let mut rgba = Vec::with_capacity(4 * usize::from(side) * usize::from(side));
    let [red, green, blue] = colour(icon);
    let samples = SAMPLES * SAMPLES;
    let at = |pixel: u16, sample: u16| {
        let middle = (f32::from(sample) + 0.5) / f32::from(SAMPLES);
        // The disc leaves a small border.
        ((f32::from(pixel) + middle) / f32::from(side) * 2.0 - 1.0) * 1.06
    };
    for row in 0..side {
        for column in 0..side {
            let (mut disc, mut sign) = (0_u16, 0_u16);
            for sample in 0..samples {
                let x = at(column, sample % SAMPLES);
                let y = at(row, sample / SAMPLES);
                if x.hypot(y) <= 1.0 {
                    disc += 1;
                    sign += u16::from(is_sign(icon, x, y));
                }
            }
            let mix = |colour: u8| {
                let own = u16::from(colour) * (disc - sign) + 255 * sign;
                // What a quotient of bytes by their number is fits a byte.
                u8::try_from(own.checked_div(disc).unwrap_or(0)).unwrap_or(u8::MAX)
            };
            let opacity = u8::try_from(disc * 255 / samples).unwrap_or(u8::MAX);
            rgba.extend([mix(red), mix(green), mix(blue), opacity]);
        }
    }
    Pixels { side, rgba }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [MenuIcon; 5] = [
        MenuIcon::Idle,
        MenuIcon::Busy,
        MenuIcon::Attention,
        MenuIcon::Trouble,
        MenuIcon::Offline,
    ];

    #[test]
    fn pictures_are_whole_and_their_corners_clear() {
        for icon in ALL {
            let pictures = pixels(icon);
            assert_eq!(pictures.len(), SIDES.len());
            for picture in pictures {
                let side = usize::from(picture.side);
                assert_eq!(picture.rgba.len(), 4 * side * side);
                assert_eq!(picture.rgba[3], 0, "{icon:?}");
                let left_of_the_sign = 4 * (side / 2 * side + side / 8) + 3;
                assert_eq!(picture.rgba[left_of_the_sign], 255, "{icon:?}");
            }
        }
    }

    #[test]
    fn states_are_told_apart_by_sign_and_not_by_colour_alone() {
        let signs = |icon| -> Vec<bool> {
            let smallest = &pixels(icon)[0];
            let bright = |pixel: &[u8]| pixel[..3].iter().all(|&part| part > 200);
            smallest.rgba.chunks(4).map(bright).collect()
        };
        for (place, icon) in ALL.into_iter().enumerate() {
            for other in ALL.into_iter().skip(place + 1) {
                let pairs = signs(icon).into_iter().zip(signs(other));
                let differ = pairs.filter(|(one, another)| one != another);
                assert!(differ.count() >= 4, "{icon:?} and {other:?}");
                assert_ne!(colour(icon), colour(other));
            }
        }
    }
}
