// Sorts a table by the column whose heading is pressed; data-value is the number behind a cell.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.parentElement;
    const body = heading.closest("table").tBodies[0];
    const column = heading.cellIndex;
    const rises = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", rises ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const rows = [...body.rows].sort((first, second) => {
      const [a, b] = [key(first), key(second)];
      // What is not known stands last, whichever way.
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      const order = typeof a === "number" ? a - b : a.localeCompare(b);
      return rises ? order : -order;
    });
    body.append(...rows);
  });
}
