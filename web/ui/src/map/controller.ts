// The one holder of the MapLibre map. The page's components talk to it in the page's own words.

import { Map as MapLibre, Marker, setWorkerUrl, type GeoJSONSource, type MapMouseEvent, type StyleSpecification } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import 'maplibre-gl/dist/maplibre-gl.css'
import type { FeatureCollection } from 'geojson'
import { fontFamily } from '../theme/tokens'
import { drawIcon, pixelRatio } from './icons'
import { LiveTiles, liveTileOptions } from './live-tiles'
import { pickAt, toPick } from './pick'
import type { Pick } from '../stores/ui'

export interface View {
  zoom: number
  lon: number
  lat: number
}

export interface Insets {
  top: number
  right: number
  bottom: number
  left: number
}

export interface MapEvents {
  ready(): void
  /** Picks are what is under a click, points before areas; none is a click on nothing. */
  picked(picks: Pick[]): void
  clicked?(at: [number, number], double: boolean): void
  pointer(at: [number, number] | null): void
  moved(view: View): void
  tileError(failing: boolean): void
}


type LiveSource = 'devices' | 'alert-areas' | 'selection' | 'measure'

const reducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches

// On a small window the panels may leave no room to fit anything into: then they are overlooked.
function roomIn(container: HTMLElement, insets: Insets, air = 24): Insets | number {
  const room = { top: insets.top + air, right: insets.right + air, bottom: insets.bottom + air, left: insets.left + air }
  const fits = container.clientWidth - room.left - room.right > 80 && container.clientHeight - room.top - room.bottom > 80
  return fits ? room : air
}

export class MapController {
  readonly map: MapLibre
  /** Its tiles, as far as they must follow the server's. */
  readonly tiles: LiveTiles
  ready = false
  /** Clicks draw a line instead of choosing things. */
  drawing = false
  private data = new Map<string, FeatureCollection>()
  private frame = 0
  private styled = ''

  constructor(
    container: HTMLElement,
    style: StyleSpecification,
    view: View | null,
    start: { bounds: [number, number, number, number]; insets: Insets },
    private readonly events: MapEvents,
  ) {
    setWorkerUrl(workerUrl)
    this.tiles = new LiveTiles((now) => this.events.tileError(now))
    this.styled = JSON.stringify(style)
    this.map = new MapLibre({
      container,
      style,
      ...(view ? { center: [view.lon, view.lat], zoom: view.zoom } : { bounds: start.bounds, fitBoundsOptions: { padding: roomIn(container, start.insets) } }),
      minZoom: 5,
      maxZoom: 19,
      attributionControl: false,
      localIdeographFontFamily: fontFamily,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: reducedMotion() ? 0 : 150,
      canvasContextAttributes: { preserveDrawingBuffer: true }, // so that it can be printed
      transformRequest: this.tiles.transformRequest,
      ...liveTileOptions,
    })
    this.tiles.attach(this.map)
    this.map.touchZoomRotate.disableRotation()
    this.listen()
  }

  private listen(): void {
    const map = this.map
    map.setMissingStyleImageResolver((id) => {
      const image = drawIcon(id)
      if (image && !map.hasImage(id)) map.addImage(id, image, { pixelRatio })
    })
    map.once('load', () => {
      this.ready = true
      for (const [name, data] of this.data) this.source(name)?.setData(data)
      this.events.ready()
      this.tellView()
    })
    map.on('moveend', () => this.tellView())
    map.on('click', (event) => void this.click(event))
    map.on('dblclick', (event) => {
      if (!this.drawing) return
      event.preventDefault()
      this.events.clicked?.([event.lngLat.lng, event.lngLat.lat], true)
    })
    map.on('mousemove', (event) => this.move(event))
    map.on('mouseout', () => this.events.pointer(null))
    map.on('error', (event) => {
      // A tile that cannot be had is said by the loader; any other error of a source is one of its tiles.
      if ('sourceId' in event) this.events.tileError(true)
      else console.error('map:', event.error)
    })
  }

  private tellView(): void {
    const { lng, lat } = this.map.getCenter()
    this.events.moved({ zoom: this.map.getZoom(), lon: lng, lat })
  }

  private move(event: MapMouseEvent): void {
    if (this.frame) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      this.events.pointer([event.lngLat.lng, event.lngLat.lat])
      if (!this.ready) return
      const over = this.drawing ? null : pickAt(this.map, event.point)
      const something = over !== null && (over.picks.length > 0 || over.cluster !== null)
      this.map.getCanvas().style.cursor = this.drawing ? 'crosshair' : something ? 'pointer' : ''
    })
  }

  private async click(event: MapMouseEvent): Promise<void> {
    if (this.drawing) {
      this.events.clicked?.([event.lngLat.lng, event.lngLat.lat], false)
      return
    }
    if (!this.ready) return
    const found = pickAt(this.map, event.point)
    if (!found.cluster) {
      this.events.picked(found.picks)
      return
    }
    const { at, here } = found.cluster
    const source = here && this.source(here.source)
    const zoom = source ? await source.getClusterExpansionZoom(here.id) : null
    if (zoom === null) {
      // The server made it, and only from a deeper zoom on it is made no more.
      this.zoomTo(at, this.map.getZoom() + 2)
    } else if (zoom > this.map.getZoom() + 0.01 && zoom <= 13.5) {
      this.zoomTo(at, Math.min(zoom + 0.3, 14))
    } else {
      // They stand on one spot: say which they are instead of zooming for ever.
      const leaves = await source!.getClusterLeaves(here!.id, 30, 0)
      this.events.picked(leaves.map((leaf) => toPick(here!.source, here!.source, (leaf.properties ?? {}) as Record<string, unknown>, leaf.id)))
    }
  }

  private zoomTo(center: [number, number], zoom: number): void {
    this.map.easeTo({ center, zoom, duration: reducedMotion() ? 0 : 300 })
  }

  private source(name: string): GeoJSONSource | undefined {
    return this.map.getSource(name) as GeoJSONSource | undefined
  }

  /** Shows another style. What the live sources hold stays; the same style is nothing to do. */
  setStyle(style: StyleSpecification): void {
    const text = JSON.stringify(style)
    if (text === this.styled) return
    this.styled = text
    this.map.setStyle(style, {
      diff: true,
      transformStyle: (_, next) => ({
        ...next,
        sources: Object.fromEntries(
          Object.entries(next.sources).map(([name, source]) =>
            source.type === 'geojson' && this.data.has(name) ? [name, { ...source, data: this.data.get(name)! }] : [name, source],
          ),
        ),
      }),
    })
  }

  setData(name: LiveSource, data: FeatureCollection): void {
    this.data.set(name, data)
    if (this.ready) this.source(name)?.setData(data)
  }

  flyTo(center: [number, number], zoom: number | undefined, insets: Insets): void {
    const offset: [number, number] = [(insets.left - insets.right) / 2, (insets.top - insets.bottom) / 2]
    this.map.flyTo({ center, zoom: zoom ?? Math.max(this.map.getZoom(), 11), offset, duration: reducedMotion() ? 0 : 900, essential: true })
  }

  fit(bounds: [number, number, number, number], insets: Insets, maxZoom = 12.5): void {
    const padding = roomIn(this.map.getContainer(), insets)
    this.map.fitBounds(bounds, { padding, maxZoom, duration: reducedMotion() ? 0 : 900 })
  }

  /** Moves a place out from under the panels. One that is off the screen is left to whoever flies there. */
  reveal(at: [number, number], insets: Insets): void {
    if (!this.ready || this.map.isMoving()) return
    const { clientWidth: width, clientHeight: height } = this.map.getContainer()
    const p = this.map.project(at)
    if (p.x < 0 || p.y < 0 || p.x > width || p.y > height) return
    const free = p.x > insets.left + 24 && p.x < width - insets.right - 24 && p.y > insets.top + 24 && p.y < height - insets.bottom - 24
    if (free || width - insets.left - insets.right < 80) return
    const offset: [number, number] = [(insets.left - insets.right) / 2, (insets.top - insets.bottom) / 2]
    this.map.easeTo({ center: at, offset, duration: reducedMotion() ? 0 : 300 })
  }

  zoomBy(step: number): void {
    this.map.easeTo({ zoom: this.map.getZoom() + step, duration: reducedMotion() ? 0 : 200 })
  }

  /** Three flashes where something red began, then nothing. */
  flash(at: [number, number], level: number): void {
    const element = document.createElement('div')
    element.className = `map-flash map-flash-${level}`
    const marker = new Marker({ element }).setLngLat(at).addTo(this.map)
    setTimeout(() => marker.remove(), 3000)
  }

  /** Metres on the ground per CSS pixel at the middle of the map. */
  metresPerPixel(): number {
    return (Math.cos((this.map.getCenter().lat * Math.PI) / 180) * 40_075_016.686) / (512 * 2 ** this.map.getZoom())
  }

  /**
   * What of a catalogue layer is on the screen, for tests: once for every time that it is drawn. Two
   * places of one id are a ghost.
   */
  renderedFeatures(layer: string): { id?: number | string; at: number[] | null; properties: Record<string, unknown> }[] {
    if (!this.ready) return []
    return this.map
      .queryRenderedFeatures()
      .filter((f) => f.sourceLayer === layer)
      .map((f) => ({ id: f.id, at: f.geometry.type === 'Point' ? f.geometry.coordinates : null, properties: f.properties }))
  }

  /** What of a catalogue layer the map's tiles hold, drawn or not, for tests. */
  heldFeatures(layer: string): { id?: number | string; at: number[] | null; properties: Record<string, unknown> }[] {
    const sources = new Set(this.map.getLayersOrder().map((id) => this.map.getLayer(id)).filter((l) => l?.sourceLayer === layer).map((l) => l!.source))
    return [...sources].flatMap((source) =>
      this.map
        .querySourceFeatures(source, { sourceLayer: layer })
        .map((f) => ({ id: f.id, at: f.geometry.type === 'Point' ? f.geometry.coordinates : null, properties: f.properties })),
    )
  }

  /** What of the devices is on the screen, for tests: levels, clusters with their worst rank. */
  renderedDevices(): Record<string, unknown>[] {
    if (!this.ready) return []
    return this.map.queryRenderedFeatures({ layers: ['device-point', 'device-cluster', 'device-firing'] }).map((f) => ({
      ...f.properties,
      ...(f.geometry.type === 'Point' ? { at: f.geometry.coordinates, xy: this.map.project(f.geometry.coordinates as [number, number]) } : {}),
    }))
  }

  resize(): void {
    this.map.resize()
  }

  remove(): void {
    cancelAnimationFrame(this.frame)
    this.tiles.remove()
    this.map.remove()
  }
}
