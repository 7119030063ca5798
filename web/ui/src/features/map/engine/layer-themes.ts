// The styles of the layers that a city begins with, and of layers that nobody styled, by their geometry. All of it is data:
// a fragment of the catalogue has the same form, and takes the place of the one here (styleOf).

import type { Layer } from '@/shared/api/types'
import { clusterCount, clusterCountText, clusterRank, isClusterFeature } from '@/features/layers/style/clusters'
import type { LayerStyle, StyleLayer, StyleValue } from '@/features/layers/style/fragment'

const font = ['Noto Sans SC']
const notCluster: StyleValue = ['!', isClusterFeature as unknown as StyleValue]
const rank = clusterRank as StyleValue
const count = clusterCount as StyleValue
const countText = clusterCountText as StyleValue
const halo = { 'text-halo-color': { $token: 'halo' }, 'text-halo-width': 1.4 } as const

/** A level's colour, by the feature's own level. */
export const levelColour: StyleValue = [
  'match', ['get', 'level'], 1, { $token: 'levels.1' }, 2, { $token: 'levels.2' }, 3, { $token: 'levels.3' }, 4, { $token: 'levels.4' }, { $token: 'grey' },
]

const ground = (colour: string): LayerStyle => ({
  base: true,
  layers: [{ id: '', slot: 'ground', type: 'fill', paint: { 'fill-color': { $token: colour }, 'fill-opacity': { $opacity: 1 }, 'fill-antialias': true } }],
})

const line = (colour: string, width: number, dash?: number[]): StyleLayer => ({
  id: '-line',
  slot: 'lines',
  type: 'line',
  layout: { 'line-join': 'round' },
  paint: {
    'line-color': { $token: colour },
    'line-opacity': { $opacity: 1 },
    'line-width': { $scale: width },
    ...(dash ? { 'line-dasharray': dash } : {}),
  },
})

interface Label {
  slot?: 'labels' | 'titles'
  size: [small: number, large: number]
  colour: string
  minzoom?: number
  spacing?: number
  along?: true
}

const label = ({ slot = 'labels', size: [small, large], colour, minzoom, spacing = 0, along }: Label): StyleLayer => ({
  id: '-label',
  slot,
  type: 'symbol',
  ...(minzoom ? { minzoom } : {}),
  layout: {
    'text-field': { $name: true },
    'text-font': font,
    'text-size': ['interpolate', ['linear'], ['zoom'], 7, { $scale: small }, 12, { $scale: large }],
    'text-padding': 4,
    'text-max-width': 8,
    'text-letter-spacing': spacing,
    ...(along ? { 'symbol-placement': 'line' } : {}),
  },
  paint: { 'text-color': { $token: colour }, 'text-opacity': { $opacity: 1 }, ...halo },
})

const below = { 'text-font': font, 'text-size': { $scale: 11 }, 'text-offset': [0, 1.2], 'text-anchor': 'top', 'text-optional': true } as const

const facility = (symbol: string): LayerStyle => ({
  base: true,
  from: 7,
  legend: [{ icon: `res:${symbol}` }],
  layers: [
    {
      id: '-icon',
      slot: 'labels',
      type: 'symbol',
      minzoom: 7,
      layout: { 'icon-image': { $icon: `res:${symbol}` }, 'icon-size': { $scale: 0.9 }, 'text-field': ['step', ['zoom'], '', 10, { $name: true }], ...below },
      paint: { 'icon-opacity': { $opacity: 1 }, 'text-opacity': { $opacity: 1 }, 'text-color': { $token: 'muted' }, ...halo },
    },
  ],
})

/** Facilities are drawn when they do not cover each other. */
const resource = (symbol: string): LayerStyle => ({
  from: 8,
  legend: [{ icon: `res:${symbol}` }],
  layers: [
    {
      id: '-icon',
      slot: 'markers',
      type: 'symbol',
      minzoom: 8,
      layout: {
        'icon-image': { $icon: `res:${symbol}` },
        'icon-size': ['interpolate', ['linear'], ['zoom'], 8, { $scale: 0.7 }, 12, { $scale: 1 }],
        'icon-padding': 1,
        'text-field': ['step', ['zoom'], '', 12, { $name: true }],
        ...below,
      },
      paint: { 'icon-opacity': { $opacity: 1 }, 'text-opacity': { $opacity: 1 }, 'text-color': { $token: 'label' }, ...halo },
    },
  ],
})

// Outline by level, fill at 18 %, so that the map below stays readable; closed ones are hatched.
const areaFill: StyleLayer = { id: '-fill', slot: 'areas', type: 'fill', minzoom: 0, layout: {}, paint: { 'fill-color': levelColour, 'fill-opacity': { $opacity: 0.18 } } }
const areaClosed: StyleLayer = {
  id: '-closed', slot: 'areas', type: 'fill', minzoom: 0, filter: ['==', ['get', 'closed'], true], layout: {}, paint: { 'fill-pattern': { $icon: 'hatch' }, 'fill-opacity': { $opacity: 0.5 } },
}
const areaLine: StyleLayer = {
  id: '-line',
  slot: 'areas',
  type: 'line',
  minzoom: 0,
  layout: { 'line-join': 'round' },
  paint: {
    'line-color': levelColour,
    'line-opacity': ['interpolate', ['linear'], ['zoom'], 7, { $opacity: 0.55 }, 10, { $opacity: 1 }],
    'line-width': ['interpolate', ['linear'], ['zoom'], 8, { $scale: 0.6 }, 13, { $scale: 1.8 }],
  },
}
/** Names of areas, once there is room for them; the worst first. */
const areaName: StyleLayer = {
  id: '-name',
  slot: 'names',
  type: 'symbol',
  labels: true,
  minzoom: 11,
  layout: {
    'text-field': { $name: true },
    'text-font': font,
    'text-size': { $scale: 11 },
    'text-max-width': 8,
    'text-padding': 6,
    'symbol-sort-key': ['match', ['get', 'level'], [1, 2, 3, 4], ['get', 'level'], 9],
  },
  paint: { 'text-color': { $token: 'muted' }, 'text-opacity': { $opacity: 1 }, ...halo },
}
const areas: StyleLayer[] = [areaFill, areaClosed, areaLine]
/** What a layer with label points has beside its own style. */
export const areaNames: LayerStyle = { layers: [areaName] }

/** Risk sources: hollow shapes in four colours, so that the solid ones are alerts alone. */
const risks: StyleLayer[] = [
  {
    id: '-icon',
    slot: 'risks',
    type: 'symbol',
    filter: notCluster,
    layout: {
      'icon-image': ['concat', { $icon: 'risk:' }, ['to-string', ['get', 'level']]],
      'icon-size': ['interpolate', ['linear'], ['zoom'], 8, { $scale: 0.75 }, 13, { $scale: 1.1 }],
      'icon-allow-overlap': true,
      'symbol-sort-key': ['-', 10, ['case', ['==', ['get', 'level'], 0], 9, ['get', 'level']]],
      'text-field': ['step', ['zoom'], '', 13, { $name: true }],
      'text-font': font,
      'text-size': { $scale: 11 },
      'text-offset': [0, 1],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: { 'icon-opacity': { $opacity: 1 }, 'text-opacity': { $opacity: 1 }, 'text-color': { $token: 'label' }, ...halo },
  },
  {
    id: '-cluster',
    slot: 'risks',
    type: 'symbol',
    filter: isClusterFeature as unknown as StyleValue,
    layout: {
      'icon-image': ['concat', { $icon: 'riskcluster:' }, ['to-string', rank]],
      'icon-size': ['interpolate', ['linear'], count, 2, { $scale: 0.66 }, 200, { $scale: 0.95 }],
      'icon-allow-overlap': true,
      'text-field': countText,
      'text-font': font,
      'text-size': { $scale: 10 },
      'text-allow-overlap': true,
      'text-offset': ['match', rank, 2, ['literal', [0, 0.25]], ['literal', [0, 0]]],
      'symbol-sort-key': ['-', 10, rank],
    },
    paint: {
      'icon-opacity': { $opacity: 1 },
      'text-opacity': { $opacity: 1 },
      'text-color': ['match', rank, 1, { $token: 'levels.1' }, 2, { $token: 'levels.2' }, 3, { $token: 'levels.3' }, 4, { $token: 'levels.4' }, { $token: 'muted' }],
    },
  },
]

/** The built-in styles by the layer's name. In a slot they lie in this order, and below those of other layers. */
export const builtIn: Readonly<Record<string, LayerStyle>> = {
  land_surroundings: ground('surroundings'),
  land: ground('land'),
  urban: ground('urban'),
  sea: { base: true, layers: [label({ size: [12, 16], colour: 'waterLabel', spacing: 0.3 })] },
  river: { base: true, layers: [line('water', 1.4), label({ size: [10, 12], colour: 'waterLabel', minzoom: 8.5, along: true })] },
  coast: { base: true, layers: [line('coast', 0.8)] },
  county: { base: true, legend: [{ swatch: 'dashed', color: 'county', text: 'command.map.schematic' }], layers: [line('county', 1.1, [4, 3])] },
  place: { base: true, from: 10, layers: [label({ size: [10, 12], colour: 'muted', minzoom: 10 })] },
  town: { base: true, from: 9, layers: [label({ size: [10, 13], colour: 'muted', minzoom: 9 })] },
  port: facility('port'),
  airport: facility('airport'),
  // Above the risk sources: a county's name is how people talk about where something is.
  county_point: { base: true, layers: [label({ slot: 'titles', size: [13, 18], colour: 'label', spacing: 0.06 })] },
  hazard_zone: { legend: [{ levels: 'swatch' }], layers: areas },
  shelter: resource('shelter'),
  hospital: resource('hospital'),
  rescue_team: resource('rescue_team'),
  risk_source: { legend: [{ levels: 'icon', icon: 'risk' }, { note: 'map.cluster.other' }], layers: risks },
}

const points: StyleLayer[] = [
  {
    id: '-point',
    slot: 'points',
    type: 'circle',
    filter: ['all', ['==', ['geometry-type'], 'Point'], notCluster],
    layout: {},
    paint: {
      'circle-color': levelColour,
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 7, { $scale: 2 }, 13, { $scale: 5.5 }],
      'circle-opacity': { $opacity: 0.85 },
      'circle-stroke-color': { $token: 'halo' },
      'circle-stroke-width': 1,
      'circle-stroke-opacity': { $opacity: 1 },
    },
  },
  // A hollow circle in the colour of the worst, with the count in it.
  {
    id: '-cluster',
    slot: 'points',
    type: 'circle',
    clustered: true,
    filter: isClusterFeature as unknown as StyleValue,
    layout: {},
    paint: {
      'circle-color': { $token: 'panelSolid' },
      'circle-radius': ['interpolate', ['linear'], count, 2, { $scale: 9 }, 200, { $scale: 15 }],
      'circle-opacity': { $opacity: 0.92 },
      'circle-stroke-color': levelColour,
      'circle-stroke-width': { $scale: 2 },
      'circle-stroke-opacity': { $opacity: 1 },
    },
  },
  {
    id: '-count',
    slot: 'points',
    type: 'symbol',
    clustered: true,
    filter: isClusterFeature as unknown as StyleValue,
    layout: { 'text-field': countText, 'text-font': font, 'text-size': { $scale: 10 }, 'text-allow-overlap': true },
    paint: { 'text-color': { $token: 'text' }, 'text-opacity': { $opacity: 1 } },
  },
]

/** Of a layer that may hold any geometry, only polygons are filled. */
const mixed: StyleLayer[] = [{ ...areaFill, filter: ['==', ['geometry-type'], 'Polygon'] }, areaClosed, areaLine, ...points]

/** The styles of layers that nobody styled, by the geometry type without "Multi". */
export const byGeometry: Readonly<Record<string, LayerStyle>> = {
  Polygon: { layers: areas },
  LineString: { layers: [{ ...areaLine, slot: 'lines' }] },
  Point: { layers: points },
  Geometry: { layers: mixed },
  '': { layers: mixed },
}

/** How a layer of the catalogue is drawn, in its own style or the built-in one; undefined: it is not. */
export function styleOf(layer: Layer): LayerStyle | undefined {
  const known = builtIn[layer.name]
  // The server has checked it, and layers.ts that MapLibre can draw it. What is the background stays in the shared sources.
  if (layer.style) return { ...(layer.style as LayerStyle), ...(known?.base ? { base: true } : {}) }
  return known ?? byGeometry[layer.geometry_type.replace('Multi', '')]
}

/** The zoom from which a layer is drawn. */
export const drawnFrom = (layer: Layer) => Math.max(layer.min_zoom, styleOf(layer)?.from ?? 0)

/** Layers that are the background of everything; they share sources, so that a view needs few requests. */
export const baseNames = Object.keys(builtIn).filter((name) => builtIn[name]!.base)
