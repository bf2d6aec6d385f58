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
    case Function::elu: return x > zero ? one : y + f.alpha;
    case Function::identity: return one;
  }
  return one;
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
