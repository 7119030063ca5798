// A command room's machine may have no Chinese font. Then the map's labels are drawn from the shipped
// Noto Sans SC, whose slices the page's own style sheet names with their unicode ranges.

import type { FontFace } from './style-context'

function pixels(pen: CanvasRenderingContext2D, text: string): string {
  pen.clearRect(0, 0, 32, 32)
  pen.fillText(text, 2, 26)
  return pen.getImageData(0, 0, 32, 32).data.join()
}

/** Whether the system draws different ideographs differently: where there is no font, all are one box. */
export function hasChineseFont(): boolean {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 32
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  if (!pen) return true
  pen.font = '24px sans-serif'
  return pixels(pen, '烟') !== pixels(pen, '台')
}

/** The shipped font's files from the page's style sheets. */
export function shippedFontFaces(family = 'Noto Sans SC'): FontFace[] {
  const faces: FontFace[] = []
  for (const sheet of document.styleSheets) {
    let rules: CSSRuleList
    try {
      rules = sheet.cssRules
    } catch {
      continue // a sheet of another origin, as browser extensions bring them
    }
    for (const rule of rules) {
      if (!(rule instanceof CSSFontFaceRule)) continue
      if (rule.style.getPropertyValue('font-family').replace(/["']/g, '') !== family) continue
      const url = /url\(["']?([^"')]+)["']?\)/.exec(rule.style.getPropertyValue('src'))?.[1]
      const ranges = rule.style.getPropertyValue('unicode-range').split(',').map((r) => r.trim()).filter(Boolean)
      if (url && ranges.length) faces.push({ url: new URL(url, sheet.href ?? location.href).href, 'unicode-range': ranges })
    }
  }
  return faces
}
