// Activations that are chosen at run time: the value, and the derivative at the same place.
#pragma once

#include "interface.hpp"
#include "simd.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

// e^x - 1, kept whole near zero; for x <= 0.
template <class T> RELEMBRA_INLINE Vec<T> expm1_of_negative(Vec<T> x) {
  Vec<T> half;
  const Vec<T> p = reduced_expm1<T>(at_least(x, ExpConstants<T>::low), half);
  const Vec<T> scale = half + half;
  return fma(p, scale, scale - T(1));
}

// The upper tail of the normal distribution, Q(t) = e^(-t^2/2) p(u) / (t + 4) with
// u = (t - 4) / (t + 4): p interpolates at Chebyshev's points of -1 ... 1, that is of all t >= 0
// (the mapping of Shepherd & Laframboise 1981). Relative error 3e-8 (float), 2e-16 (double).
template <class T> struct TailConstants;
template <> struct TailConstants<float> {
  static constexpr int terms = 10;
  static constexpr float p[terms] = {-0.000162616316f, 0.000129340123f, 0.00157575208f,
                                     -0.00347619646f,  -0.00752125553f, 0.0603953134f,
                                     -0.186524184f,    0.387137559f,    -0.607896596f,
                                     0.755285127f};
};
template <> struct TailConstants<double> {
  static constexpr int terms = 24;
  static constexpr double p[terms] = {
      -1.4936479509955029666e-10, -1.6858481937278876045e-9, -4.1774838524334273074e-10,
      1.6051942514282524999e-8,   1.7419125179458913446e-8,  -7.8746944304708379850e-8,
      -1.5916439391794902921e-7,  2.6468456126470356967e-7,  1.0242368988565402665e-6,
      -6.2491416809006590173e-7,  -5.9212894221150284734e-6, 7.1458025921931011788e-7,
      0.000035144988131603436219, -1.9076685133202145664e-6, -0.00023109498674854846771,
      0.00013334420755153712511,  0.0016308184627789688120,  -0.0034796923564507776730,
      -0.0075401889669966230706,  0.060396574890348080056,   -0.18652185795965177222,
      0.38713740074222692185,     -0.60789664197189212506,   0.75528513041575145016};
};

// The normal distribution at x, and e^(-x^2/2) beside it.
template <class T> RELEMBRA_INLINE Vec<T> normal_distribution(Vec<T> x, Vec<T>& bell) {
  using C = TailConstants<T>;
  const Vec<T> t = at_most(magnitude<T>(x), T(40));
  const Vec<T> u = (t - T(4)) / (t + T(4));
  bell = exponential<T>(t * t * T(-0.5));
  Vec<T> p = broadcast<T>(C::p[0]);
#pragma GCC unroll 24
  for (int i = 1; i < C::terms; ++i) p = fma(p, u, broadcast<T>(C::p[i]));
  const Vec<T> tail = bell * p / (t + T(4));
  return x < Vec<T>{} ? tail : T(1) - tail;
}

// Branches on a value that is the same for a whole call: predicted, next to free.
template <class T> RELEMBRA_INLINE Vec<T> value_of(const Activation<T>& f, Vec<T> x) {
  switch (f.kind) {
    case Function::tanh: return hyperbolic_tangent<T>(x);
    case Function::logistic: return logistic<T>(x);
    case Function::relu: return x < Vec<T>{} ? Vec<T>{} : x;
    case Function::hard_sigmoid: {
      const Vec<T> y = x * f.slope + f.offset;
      return at_least(at_most(y, T(1)), T(0));
    }
    case Function::softsign: return x / (T(1) + magnitude<T>(x));
    case Function::elu: return x > Vec<T>{} ? x : f.alpha * expm1_of_negative<T>(x > Vec<T>{} ? Vec<T>{} : x);
    case Function::gelu: {
      Vec<T> bell;
      return x * normal_distribution<T>(x, bell);
    }
    case Function::identity: return x;
  }
  return x;
}

// The derivative at x, where y = value_of(f, x).
template <class T> RELEMBRA_INLINE Vec<T> slope_of(const Activation<T>& f, Vec<T> x, Vec<T> y) {
  const Vec<T> zero{}, one = broadcast<T>(T(1));
  switch (f.kind) {
    case Function::tanh: return one - y * y;
    case Function::logistic: return y * (one - y);
    case Function::relu: return x > zero ? one : zero;
    case Function::hard_sigmoid: {
      const Vec<T> line = x * f.slope + f.offset;
      const Vec<T> inside = line < zero ? zero : broadcast<T>(f.slope);
      return line > one ? zero : inside;
    }
    case Function::softsign: {
      const Vec<T> d = one + magnitude<T>(x);
      return one / (d * d);
    }
    case Function::elu:  // not y + alpha, of which nothing is left where y is near -alpha
      return x > zero ? one : f.alpha * exponential<T>(x > zero ? zero : x);
    case Function::gelu: {
      constexpr T height = T(0.39894228040143267794);  // 1 / sqrt(2 pi)
      Vec<T> bell;
      const Vec<T> below = normal_distribution<T>(x, bell);
      return fma(x * height, bell, below);
    }
    case Function::identity: return one;
  }
  return one;
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
