// The one holder of the MapLibre map. The page's components talk to it in the page's own words.

import { Map as MapLibre, Marker, setWorkerUrl, type GeoJSONSource, type MapMouseEvent, type StyleSpecification } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import 'maplibre-gl/dist/maplibre-gl.css'
import type { FeatureCollection } from 'geojson'
import { fontFamily } from '@/shared/theme/tokens'
import { drawIcon, pixelRatio } from '@/shared/map/icons'
import { LiveTiles, liveTileOptions } from './live-tiles'
import { pickAt, toPick } from './pick'
import { metresPerPixel } from './scale'
import type { Pick } from '@/shared/workspace/ui'

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
  /** The viewer moves the map. */
  taken?(): void
  /** A movement ended. */
  rested?(): void
  tileError(failing: boolean): void
  /** The browser took the graphics context away: nothing is drawn until it is given back. */
  lost?(now: boolean): void
}

type LiveSource = 'devices' | 'alert-areas' | 'selection' | 'measure'

const flashMs = 3000
const besideLegend = { top: 70, right: 370, bottom: 80, left: 30 } // CSS pixels of the sheet
const paperRatio = 2 // device pixels per CSS pixel: 192 dpi

/** Without a graphics card four times the pixels take seconds a frame. */
function drawnBySoftware(canvas: HTMLCanvasElement): boolean {
  const gl = canvas.getContext('webgl2')
  const info = gl?.getExtension('WEBGL_debug_renderer_info')
  return !gl || !info || /swiftshader|llvmpipe|software|basic render/i.test(String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)))
}

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
    // Also after a context that was given back: the style is made anew then.
    map.on('style.load', () => {
      this.ready = true
      for (const [name, data] of this.data) this.source(name)?.setData(data)
      this.events.ready()
      this.tellView()
    })
    map.on('webglcontextlost', () => {
      this.ready = false
      this.styled = ''
      this.events.lost?.(true)
    })
    map.on('webglcontextrestored', () => this.events.lost?.(false))
    map.on('movestart', (event) => 'originalEvent' in event && event.originalEvent && this.events.taken?.())
    map.on('moveend', () => {
      this.tellView()
      this.events.rested?.()
    })
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

  /** Whether everything that the view needs is loaded and drawn. */
  get drawn(): boolean {
    return this.ready && this.map.loaded() && this.map.areTilesLoaded()
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
    this.events.taken?.()
    this.map.easeTo({ center, zoom, duration: reducedMotion() ? 0 : 300 })
  }

  private source(name: string): GeoJSONSource | undefined {
    return this.map.getSource(name) as GeoJSONSource | undefined
  }

  /** Shows another style. What the live sources hold stays; the same style is nothing to do. */
  setStyle(style: StyleSpecification): void {
    const text = JSON.stringify(style)
    if (text === this.styled || (!this.ready && this.styled === '')) return // a lost map is given it when it is back
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

  /** Moves to a place, which comes to the middle of what the insets leave. ms: 0 jumps. */
  flyTo(center: [number, number], zoom: number | undefined, insets: Insets, ms = 900): void {
    const offset: [number, number] = [(insets.left - insets.right) / 2, (insets.top - insets.bottom) / 2]
    const to = { center, zoom: zoom ?? Math.max(this.map.getZoom(), 11), offset }
    if (ms === 0 || reducedMotion()) this.map.easeTo({ ...to, duration: 0 })
    else this.map.flyTo({ ...to, duration: ms, essential: true })
  }

  /** Shows bounds (west, south, east, north) in what the insets leave, no deeper than most and no higher than least. */
  fit(bounds: [number, number, number, number], insets: Insets, { most = 12.5, least = 0, ms = 900 } = {}): void {
    const padding = roomIn(this.map.getContainer(), insets)
    const camera = this.map.cameraForBounds(bounds, { padding, maxZoom: most })
    if (camera?.zoom !== undefined && camera.zoom < least) this.flyTo([(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2], least, insets, ms)
    else this.map.fitBounds(bounds, { padding, maxZoom: most, duration: reducedMotion() ? 0 : ms })
  }

  /** Moves a place by so many CSS pixels over the screen. */
  nudge([dx, dy]: [number, number]): void {
    this.map.panBy([-dx, -dy], { duration: reducedMotion() ? 0 : 300 })
  }

  zoomBy(step: number): void {
    this.events.taken?.()
    this.map.easeTo({ zoom: this.map.getZoom() + step, duration: reducedMotion() ? 0 : 200 })
  }

  /** Three flashes where an alert rose, then nothing. at is lon, lat. */
  flash(at: [number, number], level: number): void {
    // The marker's own element is MapLibre's to move: only the ring inside it may be animated.
    const element = document.createElement('div')
    element.className = `map-flash map-flash-${level}`
    element.dataset.testid = 'map-flash'
    element.dataset.at = at.join(',')
    element.append(Object.assign(document.createElement('div'), { className: 'map-flash-ring' }))
    const marker = new Marker({ element }).setLngLat(at).addTo(this.map)
    setTimeout(() => marker.remove(), flashMs)
  }

  /** What the map shows: west, south, east, north; null before it is ready. */
  bounds(): [number, number, number, number] | null {
    const box = this.ready ? this.map.getBounds() : null
    return box && [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()]
  }

  /** Metres on the ground per CSS pixel at the middle of the map. */
  metresPerPixel(): number {
    return metresPerPixel(this.map.getCenter().lat, this.map.getZoom())
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
    return this.map.queryRenderedFeatures({ layers: ['device-point', 'device-cluster', 'device-cluster-firing', 'device-firing'] }).map((f) => ({
      ...f.properties,
      ...(f.geometry.type === 'Point' ? { at: f.geometry.coordinates, xy: this.map.project(f.geometry.coordinates as [number, number]) } : {}),
    }))
  }

  /**
   * Draws at once for paper, in its container's new size, what the insets left of the old view, beside the legend.
   * `held`: only from what is loaded, as there is no time to load more; the sheet is a part of the old view then.
   * Gives the way back.
   */
  toPaper(insets: Insets, held: boolean): () => void {
    const map = this.map
    const before = { center: map.getCenter(), zoom: map.getZoom() }
    const ratio = map.getPixelRatio()
    const { clientWidth: width, clientHeight: height } = map.getCanvas() // the container has the paper's size already
    map.stop()
    const seen = [map.unproject([insets.left, height - insets.bottom]), map.unproject([width - insets.right, insets.top])] as const
    const part = this.partFor(map.getContainer(), { width, height }, insets)
    if (!held && !drawnBySoftware(map.getCanvas())) map.setPixelRatio(Math.max(paperRatio, ratio))
    map.resize()
    if (held) map.jumpTo(part)
    else map.fitBounds([seen[0], seen[1]], { padding: besideLegend, duration: 0 })
    map.redraw()
    return () => {
      map.setPixelRatio(ratio)
      map.resize()
      map.jumpTo(before)
    }
  }

  /** The part of the view that fills a paper, around the middle of what the insets leave and inside the view. */
  private partFor(paper: HTMLElement, { width, height }: { width: number; height: number }, insets: Insets) {
    const times = Math.max(paper.clientWidth / width, paper.clientHeight / height)
    const inside = (middle: number, part: number, all: number) => Math.min(all - part / 2, Math.max(part / 2, middle))
    const x = inside((insets.left + width - insets.right) / 2, paper.clientWidth / times, width)
    const y = inside((insets.top + height - insets.bottom) / 2, paper.clientHeight / times, height)
    return { center: this.map.unproject([x, y]), zoom: this.map.getZoom() + Math.log2(times) }
  }

  /** Calls f once when all is drawn; gives the way to be called no more. */
  onceDrawn(f: () => void): () => void {
    this.map.once('idle', f)
    return () => this.map.off('idle', f)
  }

  remove(): void {
    cancelAnimationFrame(this.frame)
    this.tiles.remove()
    this.map.remove()
  }
}
