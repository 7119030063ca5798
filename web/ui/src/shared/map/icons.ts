// Every icon of the map is drawn here on a canvas when the map first asks for it by name, so there is
// nothing to download and a theme is a prefix: "om:dark:device:1:0".

import { roman, tokens, type ThemeName, type Tokens } from '@/shared/theme/tokens'

export const pixelRatio = 2

/** A cluster's ring has so many parts: an icon is drawn for each way to share them out. */
export const ringParts = 12

/** The symbols that a style may name as "res:…". */
export const resourceIcons = ['shelter', 'hospital', 'rescue_team', 'airport', 'port'] as const
export type ResourceIcon = (typeof resourceIcons)[number]

/** The names of the icons, so that a style and this file cannot disagree. */
export const iconName = {
  device: (theme: ThemeName, level: number | string, stale: 0 | 1) => `om:${theme}:device:${level}:${stale}`,
  cluster: (theme: ThemeName) => `om:${theme}:cluster:`,
  /** rank of the worst, 9 for none; parts of the ring that fire and that have no data. */
  deviceCluster: (theme: ThemeName, rank: number, firing: number, stale: number) => `om:${theme}:cluster:${rank}:${firing}:${stale}`,
  silence: (theme: ThemeName) => `om:${theme}:silence`,
}

type Pen = CanvasRenderingContext2D

/** The outline of a level's shape around (0, 0): ◆ ▲ ■ ●, of about the same area each. */
export function shapePath(pen: Pen, level: number, r: number): void {
  pen.beginPath()
  switch (level) {
    case 1:
      pen.moveTo(0, -r * 1.12)
      pen.lineTo(r * 1.12, 0)
      pen.lineTo(0, r * 1.12)
      pen.lineTo(-r * 1.12, 0)
      break
    case 2:
      pen.moveTo(0, -r * 1.15)
      pen.lineTo(r * 1.15, r * 0.88)
      pen.lineTo(-r * 1.15, r * 0.88)
      break
    case 3:
      pen.rect(-r * 0.88, -r * 0.88, r * 1.76, r * 1.76)
      break
    default:
      pen.arc(0, 0, r, 0, Math.PI * 2)
  }
  pen.closePath()
}

function numeral(pen: Pen, level: number, size: number, colour: string): void {
  pen.fillStyle = colour
  pen.font = `700 ${size}px "Segoe UI", "Helvetica Neue", Arial, sans-serif`
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  pen.fillText(roman[level] ?? '', 0, level === 2 ? size * 0.3 : size * 0.06)
}

function hatchInside(pen: Pen, r: number, colour: string): void {
  pen.save()
  pen.clip()
  pen.strokeStyle = colour
  pen.lineWidth = 1.5
  pen.beginPath()
  for (let x = -r * 3; x < r * 3; x += 4) {
    pen.moveTo(x, -r * 1.5)
    pen.lineTo(x + r * 3, r * 1.5)
  }
  pen.stroke()
  pen.restore()
}

function drawDevice(pen: Pen, t: Tokens, level: number, stale: boolean): void {
  if (level === 0) {
    shapePath(pen, 0, stale ? 6.5 : 5.5)
    pen.fillStyle = stale ? t.halo : t.ok
    pen.fill()
    if (stale) hatchInside(pen, 7, t.grey)
    shapePath(pen, 0, stale ? 6.5 : 5.5)
    pen.strokeStyle = stale ? t.grey : t.halo
    pen.lineWidth = 1.5
    pen.stroke()
    return
  }
  shapePath(pen, level, 13)
  pen.lineJoin = 'round'
  pen.strokeStyle = t.halo
  pen.lineWidth = 5
  pen.stroke()
  pen.fillStyle = t.levelFill[level as 1]
  pen.fill()
  // Its data stopped: the level stands, and the hatch says that it is the last one known.
  if (stale) hatchInside(pen, 13, t.levelInk[level as 1] + '55')
  shapePath(pen, level, 13)
  pen.strokeStyle = t.levels[level as 1]
  pen.lineWidth = 1.5
  pen.stroke()
  numeral(pen, level, 12, t.levelInk[level as 1])
}

const ringRadius = 24
const ringWidth = 4

// From the top and clockwise: what fires, what has no data, what is well.
function drawRing(pen: Pen, t: Tokens, rank: number, firing: number, stale: number): void {
  const arc = (from: number, to: number, colour: string, dash: number[] = []) => {
    if (to <= from) return
    pen.beginPath()
    pen.arc(0, 0, ringRadius, (from / ringParts - 0.25) * Math.PI * 2, (to / ringParts - 0.25) * Math.PI * 2)
    pen.strokeStyle = colour
    pen.setLineDash(dash)
    pen.stroke()
  }
  pen.lineWidth = ringWidth + 3
  arc(0, ringParts, t.halo)
  pen.lineWidth = ringWidth
  arc(0, firing, t.levels[rank as 1] ?? t.grey)
  arc(firing, firing + stale, t.grey, [3, 2]) // broken, so that it differs in more than colour
  arc(firing + stale, ringParts, t.ok)
  pen.setLineDash([])
}

// The level's numeral on a disc at the top right: the middle belongs to the number that fires.
function drawBadge(pen: Pen, t: Tokens, level: number): void {
  pen.save()
  pen.translate(18, -18)
  shapePath(pen, 0, 8.5)
  pen.fillStyle = t.levelFill[level as 1]
  pen.fill()
  pen.strokeStyle = t.halo
  pen.lineWidth = 2
  pen.stroke()
  pen.fillStyle = t.levelInk[level as 1]
  pen.font = '700 9.5px "Segoe UI", "Helvetica Neue", Arial, sans-serif'
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  pen.fillText(roman[level] ?? '', 0, 0.5)
  pen.restore()
}

// rank 9 is "none fires": a quiet disc, hatched where most have no data, so that it does not look well.
function drawCluster(pen: Pen, t: Tokens, rank: number, firing: number, stale: number): void {
  drawRing(pen, t, rank, firing, stale)
  if (rank === 9) {
    shapePath(pen, 0, ringRadius - ringWidth / 2 - 1)
    pen.fillStyle = t.raised
    pen.fill()
    if (stale * 2 > ringParts) hatchInside(pen, ringRadius, t.grey + '66')
    return
  }
  shapePath(pen, rank, rank === 1 || rank === 2 ? 21 : 19)
  pen.lineJoin = 'round'
  pen.strokeStyle = t.halo
  pen.lineWidth = 4
  pen.stroke()
  pen.fillStyle = t.levelFill[rank as 1]
  pen.fill()
  pen.strokeStyle = t.levels[rank as 1]
  pen.lineWidth = 2
  pen.stroke()
  drawBadge(pen, t, rank)
}

function drawRisk(pen: Pen, t: Tokens, level: number): void {
  shapePath(pen, level, 6.5)
  pen.lineJoin = 'round'
  pen.fillStyle = t.halo
  pen.fill()
  pen.strokeStyle = level === 0 ? t.grey : t.levels[level as 1]
  pen.lineWidth = 2.2
  pen.stroke()
  shapePath(pen, level, 2.4)
  pen.fillStyle = level === 0 ? t.grey : t.levels[level as 1]
  pen.fill()
}

function drawRiskCluster(pen: Pen, t: Tokens, rank: number): void {
  const level = rank === 9 ? 0 : rank
  shapePath(pen, level, 15)
  pen.lineJoin = 'round'
  pen.globalAlpha = 0.88
  pen.fillStyle = t.panelSolid
  pen.fill()
  pen.globalAlpha = 1
  pen.strokeStyle = level === 0 ? t.grey : t.levels[level as 1]
  pen.lineWidth = 1.8
  pen.stroke()
}

function strokes(pen: Pen, kind: ResourceIcon): void {
  pen.beginPath()
  switch (kind) {
    case 'hospital':
      pen.rect(-1.8, -5.5, 3.6, 11)
      pen.rect(-5.5, -1.8, 11, 3.6)
      return pen.fill()
    case 'shelter':
      pen.moveTo(-6, 5)
      pen.lineTo(0, -5.5)
      pen.lineTo(6, 5)
      pen.lineTo(2, 5)
      pen.lineTo(0, 1)
      pen.lineTo(-2, 5)
      return pen.fill()
    case 'rescue_team':
      for (let i = 0; i < 10; i++) {
        const a = (i * Math.PI) / 5 - Math.PI / 2
        const r = i % 2 ? 2.6 : 6.3
        pen.lineTo(r * Math.cos(a), r * Math.sin(a))
      }
      return pen.fill()
    case 'airport':
      pen.moveTo(0, -6.5)
      pen.lineTo(1.2, -2)
      pen.lineTo(6.5, 1.5)
      pen.lineTo(6.5, 3)
      pen.lineTo(1.2, 1.5)
      pen.lineTo(1, 4.5)
      pen.lineTo(2.6, 6)
      pen.lineTo(-2.6, 6)
      pen.lineTo(-1, 4.5)
      pen.lineTo(-1.2, 1.5)
      pen.lineTo(-6.5, 3)
      pen.lineTo(-6.5, 1.5)
      pen.lineTo(-1.2, -2)
      return pen.fill()
    case 'port':
      pen.arc(0, -4.3, 1.6, 0, Math.PI * 2)
      pen.moveTo(0, -2.6)
      pen.lineTo(0, 5.5)
      pen.moveTo(-3, -0.6)
      pen.lineTo(3, -0.6)
      pen.moveTo(-5.6, 1.6)
      pen.quadraticCurveTo(-4.6, 5.6, 0, 5.8)
      pen.quadraticCurveTo(4.6, 5.6, 5.6, 1.6)
      pen.lineWidth = 1.6
      return pen.stroke()
  }
}

const resourceInk: Record<ThemeName, Record<ResourceIcon, string>> = {
  dark: { shelter: '#3ecf8e', hospital: '#f28fb1', rescue_team: '#b79cff', airport: '#8fb6e0', port: '#8fb6e0' },
  light: { shelter: '#157347', hospital: '#b0215b', rescue_team: '#5b3fb0', airport: '#33567d', port: '#33567d' },
}

function drawResource(pen: Pen, theme: ThemeName, kind: ResourceIcon): void {
  const ink = resourceInk[theme][kind]
  pen.beginPath()
  pen.roundRect(-9, -9, 18, 18, 4)
  pen.fillStyle = tokens[theme].panelSolid
  pen.fill()
  pen.strokeStyle = ink
  pen.lineWidth = 1.2
  pen.stroke()
  pen.fillStyle = pen.strokeStyle = ink
  strokes(pen, kind)
}

// A bell that is crossed out, on a disc.
function drawSilence(pen: Pen, t: Tokens): void {
  pen.beginPath()
  pen.arc(0, 0, 7.5, 0, Math.PI * 2)
  pen.fillStyle = t.panelSolid
  pen.fill()
  pen.strokeStyle = pen.fillStyle = t.text
  pen.lineWidth = 1.2
  pen.stroke()
  pen.beginPath()
  pen.arc(0, -0.5, 2.8, Math.PI, 0)
  pen.lineTo(3.8, 2.8)
  pen.lineTo(-3.8, 2.8)
  pen.fill()
  pen.beginPath()
  pen.moveTo(-5, -5)
  pen.lineTo(5, 5)
  pen.stroke()
}

function drawHatch(pen: Pen, t: Tokens, size: number): void {
  pen.strokeStyle = t.grey
  pen.globalAlpha = 0.8
  pen.lineWidth = 1.4
  pen.beginPath()
  for (let x = -size; x <= size; x += size / 2) {
    pen.moveTo(x - size / 2, size / 2)
    pen.lineTo(x + size / 2, -size / 2)
  }
  pen.stroke()
}

const sizes: Record<string, number> = { device: 36, cluster: 62, risk: 20, riskcluster: 38, res: 22, hatch: 12, silence: 18 }

/** What an icon's name asks for; null when it is not one of ours. */
export function parseIcon(id: string): { theme: ThemeName; kind: string; args: string[] } | null {
  const [om, theme, kind, ...args] = id.split(':')
  if (om !== 'om' || (theme !== 'dark' && theme !== 'light') || !kind || !(kind in sizes)) return null
  if (kind === 'res' && !resourceIcons.includes(args[0] as ResourceIcon)) return null // a style of the catalogue may name any
  return { theme, kind, args }
}

/** Draws an icon by name, or gives null when the name is not one of ours. */
export function drawIcon(id: string): ImageData | null {
  const what = parseIcon(id)
  if (!what) return null
  const size = sizes[what.kind]!
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size * pixelRatio
  const pen = canvas.getContext('2d')
  if (!pen) return null
  pen.scale(pixelRatio, pixelRatio)
  pen.translate(size / 2, size / 2)
  const t = tokens[what.theme]
  const first = Number(what.args[0] ?? 0)
  if (what.kind === 'device') drawDevice(pen, t, first, what.args[1] === '1')
  else if (what.kind === 'cluster') drawCluster(pen, t, first, Number(what.args[1] ?? 0), Number(what.args[2] ?? 0))
  else if (what.kind === 'risk') drawRisk(pen, t, first)
  else if (what.kind === 'riskcluster') drawRiskCluster(pen, t, first)
  else if (what.kind === 'silence') drawSilence(pen, t)
  else if (what.kind === 'hatch') drawHatch(pen, t, size)
  else drawResource(pen, what.theme, what.args[0] as ResourceIcon)
  return pen.getImageData(0, 0, canvas.width, canvas.height)
}
