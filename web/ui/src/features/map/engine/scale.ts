/** Metres on the ground per CSS pixel at a latitude in degrees and a zoom of the map. */
export function metresPerPixel(lat: number, zoom: number): number {
  return (Math.cos((lat * Math.PI) / 180) * 40_075_016.686) / (512 * 2 ** zoom)
}

/**
 * A scale bar of a round length no wider than maxWidth pixels. metresPerPixel is of one CSS pixel;
 * 0 gives an empty bar.
 */
export function scaleBar(metresPerPixel: number, maxWidth: number): { width: number; label: string } {
  const most = metresPerPixel * maxWidth
  if (!(most > 0)) return { width: 0, label: '' }
  const power = 10 ** Math.floor(Math.log10(most))
  const round = [5, 3, 2, 1].find((n) => n * power <= most)! * power
  return { width: round / metresPerPixel, label: round >= 1000 ? `${round / 1000} km` : `${round} m` }
}
