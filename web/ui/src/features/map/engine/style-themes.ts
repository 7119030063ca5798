// Risk sources, hazard zones, resources, and whatever an import brought.

import type { LayerSpecification } from 'maplibre-gl'
import type { Layer } from '@/shared/api/types'
import { iconName, type ResourceIcon } from './icons'
import { baseNames, fontStack, isClustered, isLabelled, labelName, resourceNames, visibility, type StyleContext } from './style-context'
import { clusterCount, clusterCountText, clusterRank, isClusterFeature } from './style-clusters'


/** A level's colour, by the feature's own level. */
export function levelColour(c: StyleContext): unknown[] {
  const l = c.t.levels
  return ['match', ['get', 'level'], 1, l[1], 2, l[2], 3, l[3], 4, l[4], c.t.grey]
}

// Outline by level, fill at 18 %, so that the map below stays readable; closed ones are hatched.
function areas(c: StyleContext, layer: string, minzoom: number): LayerSpecification[] {
  const source = { source: c.source(layer), 'source-layer': layer, minzoom }
  const shown = { visibility: visibility(c.on(layer)) }
  const o = c.opacity(layer)
  return [
    {
      id: `${layer}-fill`,
      type: 'fill',
      ...source,
      layout: shown,
      paint: { 'fill-color': levelColour(c) as never, 'fill-opacity': 0.18 * o },
    },
    {
      id: `${layer}-closed`,
      type: 'fill',
      ...source,
      filter: ['==', ['get', 'closed'], true],
      layout: shown,
      paint: { 'fill-pattern': iconName.hatch(c.theme), 'fill-opacity': 0.5 * o },
    },
    {
      id: `${layer}-line`,
      type: 'line',
      ...source,
      layout: { ...shown, 'line-join': 'round' },
      paint: {
        'line-color': levelColour(c) as never,
        'line-opacity': ['interpolate', ['linear'], ['zoom'], 7, 0.55 * o, 10, o],
        'line-width': ['interpolate', ['linear'], ['zoom'], 8, 0.6 * c.scale, 13, 1.8 * c.scale],
      },
    },
  ]
}

export function hazardLayers(c: StyleContext): LayerSpecification[] {
  return c.has('hazard_zone') ? areas(c, 'hazard_zone', 0) : []
}

export function resourceLayers(c: StyleContext): LayerSpecification[] {
  return resourceNames.filter(c.has).map((layer) => ({
    id: `${layer}-icon`,
    type: 'symbol',
    source: c.source(layer),
    'source-layer': layer,
    minzoom: 8,
    layout: {
      visibility: visibility(c.on(layer)),
      'icon-image': iconName.resource(c.theme, layer as ResourceIcon),
      'icon-size': ['interpolate', ['linear'], ['zoom'], 8, 0.7 * c.scale, 12, c.scale],
      'icon-padding': 1,
      'text-field': ['step', ['zoom'], '', 12, c.name] as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-offset': [0, 1.2],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: {
      'icon-opacity': c.opacity(layer),
      'text-opacity': c.opacity(layer),
      'text-color': c.t.label,
      'text-halo-color': c.t.halo,
      'text-halo-width': 1.4,
    },
  }))
}

/** Names of areas, once there is room for them; the worst first. Their points come with the areas' tiles. */
export function areaNames(c: StyleContext): LayerSpecification[] {
  return c.layers.filter(isLabelled).map((l) => ({
    id: `${l.name}-name`,
    type: 'symbol',
    source: c.source(l.name),
    'source-layer': labelName(l.name),
    minzoom: 11,
    layout: {
      visibility: visibility(c.on(l.name)),
      'text-field': c.name as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-max-width': 8,
      'text-padding': 6,
      'symbol-sort-key': ['match', ['get', 'level'], [1, 2, 3, 4], ['get', 'level'], 9],
    },
    paint: {
      'text-color': c.t.muted,
      'text-opacity': c.opacity(l.name),
      'text-halo-color': c.t.halo,
      'text-halo-width': 1.4,
    },
  }))
}

function riskCluster(c: StyleContext, source: { source: string; 'source-layer': string }): LayerSpecification {
  const o = c.opacity('risk_source')
  const l = c.t.levels
  return {
    id: 'risk_source-cluster',
    type: 'symbol',
    ...source,
    filter: isClusterFeature,
    layout: {
      visibility: visibility(c.on('risk_source')),
      'icon-image': ['concat', iconName.riskCluster(c.theme), ['to-string', clusterRank]] as never,
      'icon-size': ['interpolate', ['linear'], clusterCount, 2, 0.66 * c.scale, 200, 0.95 * c.scale] as never,
      'icon-allow-overlap': true,
      'text-field': clusterCountText as never,
      'text-font': fontStack,
      'text-size': 10 * c.scale,
      'text-allow-overlap': true,
      'text-offset': ['match', clusterRank, 2, ['literal', [0, 0.25]], ['literal', [0, 0]]] as never,
      'symbol-sort-key': ['-', 10, clusterRank] as never,
    },
    paint: {
      'icon-opacity': o,
      'text-opacity': o,
      'text-color': ['match', clusterRank, 1, l[1], 2, l[2], 3, l[3], 4, l[4], c.t.muted] as never,
    },
  }
}

/** Risk sources: hollow shapes in four colours, so that the solid ones are alerts alone. */
export function riskLayers(c: StyleContext): LayerSpecification[] {
  if (!c.has('risk_source')) return []
  const source = { source: c.source('risk_source'), 'source-layer': 'risk_source' }
  const o = c.opacity('risk_source')
  const point: LayerSpecification = {
    id: 'risk_source-icon',
    type: 'symbol',
    ...source,
    filter: ['!', isClusterFeature] as never,
    layout: {
      visibility: visibility(c.on('risk_source')),
      'icon-image': ['concat', `om:${c.theme}:risk:`, ['to-string', ['get', 'level']]],
      'icon-size': ['interpolate', ['linear'], ['zoom'], 8, 0.75 * c.scale, 13, 1.1 * c.scale],
      'icon-allow-overlap': true,
      'symbol-sort-key': ['-', 10, ['case', ['==', ['get', 'level'], 0], 9, ['get', 'level']]],
      'text-field': ['step', ['zoom'], '', 13, c.name] as never,
      'text-font': fontStack,
      'text-size': 11 * c.scale,
      'text-offset': [0, 1],
      'text-anchor': 'top',
      'text-optional': true,
    },
    paint: { 'icon-opacity': o, 'text-opacity': o, 'text-color': c.t.label, 'text-halo-color': c.t.halo, 'text-halo-width': 1.4 },
  }
  return [point, riskCluster(c, source)]
}

const known = new Set([...baseNames, ...resourceNames, 'risk_source', 'hazard_zone'])

function genericPoint(c: StyleContext, l: Layer): LayerSpecification {
  const o = c.opacity(l.name)
  return {
    id: `${l.name}-point`,
    type: 'circle',
    source: c.source(l.name),
    'source-layer': l.name,
    filter: ['all', ['==', ['geometry-type'], 'Point'], ['!', isClusterFeature]] as never,
    layout: { visibility: visibility(c.on(l.name)) },
    paint: {
      'circle-color': levelColour(c) as never,
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 7, 2 * c.scale, 13, 5.5 * c.scale],
      'circle-opacity': 0.85 * o,
      'circle-stroke-color': c.t.halo,
      'circle-stroke-width': 1,
      'circle-stroke-opacity': o,
    },
  }
}

// A hollow circle in the colour of the worst, with the count in it.
function genericCluster(c: StyleContext, l: Layer): LayerSpecification[] {
  const o = c.opacity(l.name)
  const from = { source: c.source(l.name), 'source-layer': l.name, filter: isClusterFeature }
  const shown = { visibility: visibility(c.on(l.name)) }
  return [
    {
      id: `${l.name}-cluster`,
      type: 'circle',
      ...from,
      layout: shown,
      paint: {
        'circle-color': c.t.panelSolid,
        'circle-radius': ['interpolate', ['linear'], clusterCount, 2, 9 * c.scale, 200, 15 * c.scale] as never,
        'circle-opacity': 0.92 * o,
        'circle-stroke-color': levelColour(c) as never,
        'circle-stroke-width': 2 * c.scale,
        'circle-stroke-opacity': o,
      },
    },
    {
      id: `${l.name}-count`,
      type: 'symbol',
      ...from,
      layout: {
        ...shown,
        'text-field': clusterCountText as never,
        'text-font': fontStack,
        'text-size': 10 * c.scale,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': c.t.text, 'text-opacity': o },
    },
  ]
}

/** Layers of the catalogue that no one styled, by their geometry. */
export function genericLayers(c: StyleContext, part: 'areas' | 'lines' | 'points'): LayerSpecification[] {
  return c.layers
    .filter((l) => !known.has(l.name))
    .flatMap((l): LayerSpecification[] => {
      const type = l.geometry_type.replace('Multi', '')
      const any = type === 'Geometry' || type === ''
      if (part === 'areas' && (type === 'Polygon' || any)) {
        return areas(c, l.name, 0).map((layer) =>
          any && layer.type === 'fill' && !('filter' in layer && layer.filter)
            ? { ...layer, filter: ['==', ['geometry-type'], 'Polygon'] as never }
            : layer,
        )
      }
      if (part === 'lines' && type === 'LineString') return areas(c, l.name, 0).filter((layer) => layer.type === 'line')
      if (part === 'points' && (type === 'Point' || any)) return [genericPoint(c, l), ...(isClustered(l) ? genericCluster(c, l) : [])]
      return []
    })
}
