// Commands to the map of the command page: any part of the page calls them, the map that is open carries them out.

import type { Bounds, LonLat } from '@/shared/geo/geo'

/** Something that has a place on the map. */
export type Subject = { kind: 'alert'; id: number } | { kind: 'device'; id: string } | { kind: 'feature'; layer: string; id: string }

export interface MapCommands {
  /** Moves to a place. Without a zoom it is the present one, and at least a county's. */
  flyTo(center: LonLat, zoom?: number): void
  /** Shows bounds, no deeper than most. whole: also what an open card covers, as for the whole city. */
  fit(bounds: Bounds, options?: { most?: number; whole?: boolean }): void
  /** Moves to a thing, once it is loaded. */
  reveal(subject: Subject): void
  zoomBy(step: number): void
  /** What the map shows; null: there is no map, or it is not ready. */
  bounds(): Bounds | null
  /** Metres on the ground per CSS pixel at the middle of the map; 0: there is no map. */
  metresPerPixel(): number
}

let open: MapCommands | null = null

/** Takes the commands from now on. It returns a function that ends this. */
export function offerMap(commands: MapCommands): () => void {
  open = commands
  return () => {
    if (open === commands) open = null
  }
}

const commands: MapCommands = {
  flyTo: (center, zoom) => open?.flyTo(center, zoom),
  fit: (bounds, options) => open?.fit(bounds, options),
  reveal: (subject) => open?.reveal(subject),
  zoomBy: (step) => open?.zoomBy(step),
  bounds: () => open?.bounds() ?? null,
  metresPerPixel: () => open?.metresPerPixel() ?? 0,
}

/** The map of the command page. While there is none its commands do nothing. */
export const useMap = (): MapCommands => commands
