(function () {
  "use strict";
  var box = document.getElementById("filter"), shown = document.getElementById("shown");
  var rows = Array.prototype.slice.call(document.querySelectorAll("#all tbody tr"));
  box.addEventListener("input", function () {
    var words = box.value.toLowerCase(), count = 0;
    rows.forEach(function (row) {
      var hit = row.textContent.toLowerCase().indexOf(words) !== -1;
      row.hidden = !hit;
      count += hit ? 1 : 0;
    });
    shown.textContent = count + " of " + rows.length;
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });
}());
