/** Icons of icons.svg, which is part of the page. They say nothing: a text is beside each, or an aria-label around it. */

const SVG = "http://www.w3.org/2000/svg";

/** An icon by its name, such as "download". */
export function icon(name) {
  const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS(SVG, tag));
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}
