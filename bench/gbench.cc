/* SPDX-License-Identifier: MIT */
#include "bench/gbench.h"

#include <benchmark/benchmark.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <regex>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace
{

const xb_gbench_plan *the_plan;
std::string the_filter;

/* Google Benchmark ends the process by itself on a bad flag, with 0 or 1; a user error is 2. */
bool google_may_exit;

void exit_guard()
{
	if (!google_may_exit)
		return;
	std::fflush(nullptr);
	_exit(2);
}

void say_bad_flag()
{
	std::fprintf(stderr, "xpbench: bad value of a --benchmark_ option; see xpbench --help\n");
}

void run_case(benchmark::State &state, void *arg)
{
	const int64_t n = state.max_iterations;
	char error[XB_GBENCH_ERROR] = "";

	while (state.KeepRunningBatch(n)) {
		double seconds = the_plan->body(arg, n, error);
		if (!std::isfinite(seconds) || seconds <= 0) {
			state.SkipWithError(error[0] ? error
						     : "the figure is not a positive number");
			break;
		}
		state.SetIterationTime(seconds);
	}
}

/* Hands each finished case to the plan, and shows it to Google Benchmark's own reporter if asked. */
class Sink : public benchmark::BenchmarkReporter
{
      public:
	Sink(std::vector<void *> const &args, bool display)
	    : args_(args), shown_(display ? benchmark::CreateDefaultDisplayReporter() : nullptr)
	{
	}

	bool ReportContext(const Context &context) override
	{
		return shown_ ? shown_->ReportContext(context) : true;
	}

	void ReportRuns(const std::vector<Run> &reports) override
	{
		std::vector<double> seconds;
		xb_gbench_result result{};

		for (const Run &run : reports) {
			if (run.run_type != Run::RT_Iteration)
				continue;
			result.arg = args_.at(static_cast<size_t>(run.family_index));
			result.calls++;
			if (run.error_occurred) {
				result.error = run.error_message.c_str();
				continue;
			}
			result.iterations = run.iterations;
			seconds.push_back(run.real_accumulated_time /
					  static_cast<double>(run.iterations));
		}
		result.seconds = seconds.data();
		result.count = seconds.size();
		if (result.calls)
			the_plan->on_result(the_plan->context, &result);
		if (!shown_)
			return;
		/* Names as everywhere else in this project, without how they were timed. */
		std::vector<Run> plain(reports);
		for (Run &run : plain) {
			run.run_name.time_type.clear();
			run.run_name.iterations.clear();
			run.run_name.repetitions.clear();
		}
		shown_->ReportRuns(plain);
	}

	void Finalize() override
	{
		if (shown_)
			shown_->Finalize();
	}

      private:
	std::vector<void *> const &args_;
	std::unique_ptr<benchmark::BenchmarkReporter> shown_;
};

/* In the order of registration: a case is a family of its own, and Run says only its index. */
std::vector<void *> &registered()
{
	static std::vector<void *> args;
	return args;
}

} // namespace

void xb_gbench_init(int *argc, char **argv)
{
	std::atexit(exit_guard);
	google_may_exit = true;
	benchmark::Initialize(argc, argv, say_bad_flag);
	google_may_exit = false;
	the_filter = benchmark::GetBenchmarkFilter();
}

const char *xb_gbench_filter(void)
{
	return the_filter.c_str();
}

int xb_gbench_matches(const char *filter, const char *name)
{
	std::string text(filter);
	bool negated = !text.empty() && text[0] == '-';

	if (negated)
		text.erase(0, 1);
	if (text.empty() || text == "all")
		return !negated;
	try {
		std::regex expression(text, std::regex_constants::extended);
		return std::regex_search(name, expression) != negated;
	} catch (const std::regex_error &) {
		return -EINVAL;
	}
}

void xb_gbench_register(const char *name, void *arg, int64_t iterations, int once)
{
	auto *added = benchmark::RegisterBenchmark(name, run_case, arg);

	added->UseManualTime()->Unit(benchmark::kNanosecond);
	if (iterations > 0)
		added->Iterations(iterations);
	if (once)
		added->Repetitions(1);
	registered().push_back(arg);
}

size_t xb_gbench_run(const struct xb_gbench_plan *plan)
{
	the_plan = plan;
	benchmark::SetBenchmarkFilter(".");
	Sink sink(registered(), plan->display != 0);
	google_may_exit = true;
	size_t count = benchmark::RunSpecifiedBenchmarks(&sink);
	google_may_exit = false;
	return count;
}
