// Land and sea, lines and names: the ground that the rest stands on.

import type { LayerSpecification } from 'maplibre-gl'
import { iconName } from './icons'
import { fontStack, visibility, type StyleContext } from './style-context'


function fill(c: StyleContext, layer: string, colour: string): LayerSpecification[] {
  if (!c.has(layer)) return []
  return [
    {
      id: layer,
      type: 'fill',
      source: c.source(layer),
      'source-layer': layer,
      layout: { visibility: visibility(c.on(layer)) },
      paint: { 'fill-color': colour, 'fill-opacity': c.opacity(layer), 'fill-antialias': true },
    },
  ]
}

function line(c: StyleContext, layer: string, colour: string, width: number, dash?: number[]): LayerSpecification[] {
  if (!c.has(layer)) return []
  return [
    {
      id: `${layer}-line`,
      type: 'line',
      source: c.source(layer),
      'source-layer': layer,
      layout: { visibility: visibility(c.on(layer)), 'line-join': 'round' },
      paint: {
        'line-color': colour,
        'line-opacity': c.opacity(layer),
        'line-width': width * c.scale,
        ...(dash ? { 'line-dasharray': dash } : {}),
      },
    },
  ]
}

interface LabelOptions {
  size: [number, number]
  minzoom?: number
  weight?: 'strong' | 'water'
}

function label(c: StyleContext, layer: string, o: LabelOptions): LayerSpecification[] {
  if (!c.has(layer)) return []
  const [small, large] = o.size
  return [
    {
      id: `${layer}-label`,
      type: 'symbol',
      source: c.source(layer),
      'source-layer': layer,
      ...(o.minzoom ? { minzoom: o.minzoom } : {}),
      layout: {
        visibility: visibility(c.on(layer)),
        'text-field': c.name as never,
        'text-font': fontStack,
        'text-size': ['interpolate', ['linear'], ['zoom'], 7, small * c.scale, 12, large * c.scale],
        'text-padding': 4,
        'text-max-width': 8,
        'text-letter-spacing': o.weight === 'strong' ? 0.06 : layer === 'sea' ? 0.3 : 0,
        ...(layer === 'river' ? { 'symbol-placement': 'line' as const } : {}),
      },
      paint: {
        'text-color': o.weight === 'strong' ? c.t.label : o.weight === 'water' ? c.t.waterLabel : c.t.muted,
        'text-opacity': c.opacity(layer),
        'text-halo-color': c.t.halo,
        'text-halo-width': 1.4,
      },
    },
  ]
}

function facility(c: StyleContext, layer: 'airport' | 'port'): LayerSpecification[] {
  if (!c.has(layer)) return []
  return [
    {
      id: `${layer}-icon`,
      type: 'symbol',
      source: c.source(layer),
      'source-layer': layer,
      minzoom: 7,
      layout: {
        visibility: visibility(c.on(layer)),
        'icon-image': iconName.resource(c.theme, layer),
        'icon-size': 0.9 * c.scale,
        'text-field': ['step', ['zoom'], '', 10, c.name] as never,
        'text-font': fontStack,
        'text-size': 11 * c.scale,
        'text-offset': [0, 1.2],
        'text-anchor': 'top',
        'text-optional': true,
      },
      paint: {
        'icon-opacity': c.opacity(layer),
        'text-opacity': c.opacity(layer),
        'text-color': c.t.muted,
        'text-halo-color': c.t.halo,
        'text-halo-width': 1.4,
      },
    },
  ]
}

/** The ground's fills, lines and labels, each bottom first. */
export function baseLayers(c: StyleContext): Record<'ground' | 'lines' | 'labels' | 'names', LayerSpecification[]> {
  return {
    ground: [
      ...fill(c, 'land_surroundings', c.t.surroundings),
      ...fill(c, 'land', c.t.land),
      ...fill(c, 'urban', c.t.urban),
    ],
    lines: [...line(c, 'river', c.t.water, 1.4), ...line(c, 'coast', c.t.coast, 0.8), ...line(c, 'county', c.t.county, 1.1, [4, 3])],
    labels: [
      ...label(c, 'sea', { size: [12, 16], weight: 'water' }),
      ...label(c, 'river', { size: [10, 12], minzoom: 8.5, weight: 'water' }),
      ...label(c, 'place', { size: [10, 12], minzoom: 10 }),
      ...label(c, 'town', { size: [10, 13], minzoom: 9 }),
      ...facility(c, 'port'),
      ...facility(c, 'airport'),
    ],
    // Above the risk sources: a county's name is how people talk about where something is.
    names: label(c, 'county_point', { size: [13, 18], weight: 'strong' }),
  }
}
